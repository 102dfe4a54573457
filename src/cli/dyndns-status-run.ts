/** One run of `netsteward dyndns status`. */
import type { ExitCode } from '../core/exit-codes.ts';
import type { DyndnsDetail } from '../dyndns/index.ts';
import { dyndnsLines } from './dyndns-view.ts';
import { type ModuleStatusFlags, showModuleStatus } from './module-status.ts';

export function showDyndnsStatus(flags: ModuleStatusFlags): Promise<ExitCode> {
  return showModuleStatus<DyndnsDetail>('dyndns', flags, dyndnsLines);
}
