/** So many TLS handshakes at a time, and the others in line: they cost CPU, and of a hundred at once each would wait for all. */
import pLimit from 'p-limit';
import type { Clock } from '../../core/clock.ts';
import type { DnsOutcome, DnsQuestion } from '../dns-client-ports.ts';
import { inSlot } from './http-probe-abort.ts';
import type { TrustStore } from './trust-store.ts';

/** What a question over TLS or HTTPS takes. */
export interface SecurePorts {
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly handshakes: Handshakes;
}

/** A handshake costs 1 to 3 ms of CPU: the last of so many is done before 50 ms are over. */
const most = 16;

/**
 * Milliseconds after which a handshake gives its place to the next one in line: one with a server that says nothing costs no
 * CPU, and 16 of them must not keep all others waiting.
 */
const patience = 500;

export class Handshakes {
  readonly #clock: Clock;
  readonly #places = pLimit(most);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `exchange` when there is a place; it calls `done` when its handshake has ended, whatever came of it. Time in line is
   * not the question's: its own begins with `question.begun`. Rejects with the signal's reason.
   */
  run(
    question: DnsQuestion,
    signal: AbortSignal,
    exchange: (done: () => void) => Promise<DnsOutcome>,
  ): Promise<DnsOutcome> {
    return inSlot(this.#places, signal, async (release) => {
      question.begun?.();
      const limit = this.#clock.after(patience, release);
      try {
        return await exchange(() => {
          limit.cancel();
          release();
        });
      } finally {
        limit.cancel();
      }
    });
  }
}
