/** What all ways to ask a DNS server share: the time-out, the abort signal, and what Node's errors mean. */
import { isIPv6 } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { errnoOf } from '../../core/errors.ts';
import type { DnsFailureKind, DnsOutcome, DnsQuestion, DnsServer } from '../dns-client-ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { clean } from './http-probe-failure.ts';

export interface RunningExchange {
  /** Called once, whatever the end: frees sockets and timers. */
  close(): void;
  /** What the end of the time means, where it means more than silence. */
  late?(): DnsOutcome | undefined;
}

export const failed = (kind: DnsFailureKind, detail: string): DnsOutcome => ({
  ok: false,
  kind,
  detail: clean(detail),
});

/** Milliseconds that a timer may be late without anything being wrong. */
const mostLate = 50;

/** `begin` starts, and calls `settle` (once or more: the first counts), never before it has returned. */
export function runExchange(
  clock: Clock,
  { timeout }: Pick<DnsQuestion, 'timeout'>,
  signal: AbortSignal,
  begin: (settle: (outcome: DnsOutcome) => void) => RunningExchange,
): Promise<DnsOutcome> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let open = true;
    const end = (tell: () => void): void => {
      if (!open) return;
      open = false;
      timer.cancel();
      forget();
      running.close();
      tell();
    };
    const forget = onAbort(signal, () => end(() => reject(signal.reason)));
    const due = clock.monotonic() + timeout;
    const giveUp = (): void => {
      const said = running.late?.();
      end(() => resolve(said ?? failed('timeout', `nothing within ${Math.round(timeout)} ms`)));
    };
    let timer = clock.after(timeout, () => {
      // This process stood still itself (a busy machine, a frozen container), and Node runs timers before it reads sockets:
      // the answer may lie there already. So long as it stood, the other side gets once more.
      const late = clock.monotonic() - due;
      if (late <= mostLate) return giveUp();
      timer = clock.after(Math.min(late, timeout), giveUp);
    });
    const running = begin((outcome) => end(() => resolve(outcome)));
  });
}

// Of descriptors, memory and local ports (socket(2), connect(2)); a family that this machine has not.
const ownErrors = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPERM']);

/** An error of a socket that is not TLS' own. */
export function socketFailure(error: Error, server: DnsServer): DnsOutcome {
  const code = errnoOf(error) ?? '';
  if (ownErrors.has(code)) return failed('local', error.message);
  if (code === 'ETIMEDOUT') return failed('timeout', error.message);
  if (code === 'ECONNREFUSED') return failed('unreachable', `nothing listens at ${placeOf(server)} (${code})`);
  return failed('unreachable', `${placeOf(server)}: ${error.message}`);
}

export function placeOf({ address, name, port }: DnsServer): string {
  const host = address ?? name ?? '';
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
