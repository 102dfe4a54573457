/** One run of `netsteward dyndns status`. */
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { DyndnsDetail } from '../dyndns/index.ts';
import { askControl } from './control-client.ts';
import { statusOf } from './control-shapes.ts';
import type { DyndnsStatusFlags } from './dyndns-status.ts';
import { dyndnsLines } from './dyndns-view.ts';
import { print, printJson } from './output.ts';

/** Milliseconds; a status costs no I/O. */
const patience = 5000;

/** Rejects with what asking rejects with, and `dyndns-not-running`. */
export async function showDyndnsStatus({ socket, json }: DyndnsStatusFlags): Promise<ExitCode> {
  const answer = await askControl({ socket, method: 'GET', path: '/status', limit: patience });
  const found = statusOf(socket, answer).modules.find(({ name }) => name === 'dyndns')?.health;
  if (found?.detail === undefined || found.detail === null) {
    throw new NetstewardError('dyndns-not-running', 'the running netsteward has no dyndns, or it has just begun', {
      remedy: 'Add [dyndns] to its configuration; `netsteward status` shows what it runs.',
    });
  }
  const detail = found.detail as DyndnsDetail;
  if (json === true) printJson(detail);
  else
    print(
      [...dyndnsLines(detail), ...found.warnings.map(({ text }) => `! ${text}`)].map((line) => `${line}\n`).join(''),
    );
  return exitCodes.ok;
}
