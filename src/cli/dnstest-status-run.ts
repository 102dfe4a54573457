/** One run of `netsteward dnstest status`. */
import { systemClock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { DnstestDetail } from '../dnstest/index.ts';
import { askControl } from './control-client.ts';
import { statusOf } from './control-shapes.ts';
import type { DnstestStatusFlags } from './dnstest-status.ts';
import { renderDnstest } from './dnstest-view.ts';
import { print, printJson } from './output.ts';

/** Milliseconds; a status costs no I/O. */
const patience = 5000;

/** Rejects with what asking rejects with, and `dnstest-not-running`. */
export async function showDnstestStatus({ socket, json }: DnstestStatusFlags): Promise<ExitCode> {
  const answer = await askControl({ socket, method: 'GET', path: '/status', limit: patience });
  const found = statusOf(socket, answer).modules.find(({ name }) => name === 'dnstest')?.health;
  if (found?.detail === undefined || found.detail === null) {
    throw new NetstewardError('dnstest-not-running', 'the running netsteward has no dnstest, or it has just begun', {
      remedy: 'Add [dnstest] to its configuration; `netsteward status` shows what it runs.',
    });
  }
  const detail = found.detail as DnstestDetail;
  if (json === true) printJson(detail);
  else {
    const lines = [...renderDnstest(detail, systemClock.now()), ...found.warnings.map(({ text }) => `! ${text}`)];
    print(lines.map((line) => `${line}\n`).join(''));
  }
  return exitCodes.ok;
}
