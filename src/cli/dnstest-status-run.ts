/** One run of `netsteward dnstest status`. */
import { systemClock } from '../core/clock.ts';
import type { ExitCode } from '../core/exit-codes.ts';
import type { DnstestDetail } from '../dnstest/index.ts';
import { renderDnstest } from './dnstest-view.ts';
import { type ModuleStatusFlags, showModuleStatus } from './module-status.ts';

export function showDnstestStatus(flags: ModuleStatusFlags): Promise<ExitCode> {
  return showModuleStatus<DnstestDetail>('dnstest', flags, (detail) => renderDnstest(detail, systemClock.now()));
}
