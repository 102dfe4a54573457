/** Asks the authoritative server whether it serves what was published: only its answer makes it so. */
import { type Clock, sleep } from '../core/clock.ts';
import type { NameServer } from '../system/dyndns-ports.ts';
import { readAddress } from './address.ts';
import type { Change } from './publisher.ts';

/** Names that are asked for after one run; a zone's names come from one database. */
const mostQuestions = 8;
/** Milliseconds. */
const timeout = 2000;
const pauses = [0, 2, 5, 10, 20, 50, 100, 500, 2000];

export interface Authority {
  readonly nameServer: NameServer;
  readonly clock: Clock;
  /** Numeric. */
  readonly server: string;
  readonly port: number;
}

/** Why it does not serve them, or undefined. Asks again for some seconds: not every server reads its database for each question. */
export async function verifyPublished(
  { nameServer, clock, server, port }: Authority,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { name, family, to } of changes.slice(-mostQuestions)) {
    let reason = '';
    for (const pause of pauses) {
      if (pause > 0) await sleep(clock, pause, signal).catch(() => {});
      if (signal.aborted) return 'was ended with netsteward';
      const type = family === 4 ? 'A' : 'AAAA';
      const answer = await nameServer.ask({ server, port, name: asked(name), type, timeout });
      if (answer.ok && answer.addresses.some((address) => readAddress(address)?.text === to)) {
        reason = '';
        break;
      }
      const told = answer.ok ? `answers ${answer.addresses.join(', ') || 'nothing'}, not ${to}` : answer.reason;
      reason = `${server} does not serve ${name} ${type}: ${told}`;
    }
    if (reason !== '') return reason;
  }
  return undefined;
}

/** A wildcard is asked for by some name below it. */
function asked(name: string): string {
  return name.startsWith('*.') ? `netsteward-verify${name.slice(1)}` : name;
}
