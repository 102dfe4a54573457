/** The word on resolvers from one thread to the others: the watch speaks, and modules hear it without asking each other. */
import { BroadcastChannel } from 'node:worker_threads';
import * as v from 'valibot';
import type { Clock } from '../../core/clock.ts';
import type { ResolverHearer, ResolverSpeaker, ResolverWord } from '../resolver-word.ts';

const name = 'netsteward-resolvers';

const message = v.object({
  words: v.array(v.object({ address: v.optional(v.string()), right: v.optional(v.boolean()) })),
  holds: v.number(),
});

/** In all threads of this process, but not beyond it. Keeps no thread from ending. */
export class BroadcastSpeaker implements ResolverSpeaker {
  readonly #channel = openChannel();

  say(words: readonly ResolverWord[], holds: number): void {
    this.#channel.postMessage({ words, holds });
  }
}

export class BroadcastHearer implements ResolverHearer {
  readonly #clock: Clock;
  readonly #channel = openChannel();
  #words: readonly ResolverWord[] = [];
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#channel.onmessage = (event: unknown) => {
      const read = v.safeParse(message, (event as MessageEvent).data);
      if (!read.success) return;
      this.#words = read.output.words.map(({ address, right }) => ({ address, right }));
      this.#until = clock.monotonic() + read.output.holds;
    };
  }

  words(): readonly ResolverWord[] {
    return this.#clock.monotonic() < this.#until ? this.#words : [];
  }
}

function openChannel(): BroadcastChannel {
  const channel = new BroadcastChannel(name);
  channel.unref();
  return channel;
}
