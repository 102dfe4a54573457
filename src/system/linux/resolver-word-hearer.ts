/** The word on resolvers as a module's thread hears it. */
import type { Clock } from '../../core/clock.ts';
import type { ResolverHearer, ResolverWord } from '../resolver-word.ts';
import { openChannel } from './resolver-word-speaker.ts';

export class BroadcastHearer implements ResolverHearer {
  readonly #clock: Clock;
  readonly #channel = openChannel();
  #words: readonly ResolverWord[] = [];
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#channel.onmessage = (event: unknown) => {
      const { words, holds }: Record<string, unknown> = Object((event as MessageEvent).data);
      if (!Array.isArray(words) || !words.every(isWord) || typeof holds !== 'number') return;
      this.#words = words.map(({ address, right }) => ({ address, right }));
      this.#until = clock.monotonic() + holds;
    };
  }

  words(): readonly ResolverWord[] {
    return this.#clock.monotonic() < this.#until ? this.#words : [];
  }
}

function isWord(value: unknown): value is ResolverWord {
  const { address, right }: Record<string, unknown> = Object(value);
  return ['string', 'undefined'].includes(typeof address) && ['boolean', 'undefined'].includes(typeof right);
}
