/** The word on resolvers from the watch's thread to the others: modules hear it without asking each other. */
import { BroadcastChannel } from 'node:worker_threads';
import type { ResolverSpeaker, ResolverWord } from '../resolver-word.ts';

const name = 'netsteward-resolvers';

/** In all threads of this process, but not beyond it. Keeps no thread from ending. */
export class BroadcastSpeaker implements ResolverSpeaker {
  readonly #channel = openChannel();

  say(words: readonly ResolverWord[], holds: number): void {
    this.#channel.postMessage({ words, holds });
  }
}

/** Keeps no thread from ending. */
export function openChannel(): BroadcastChannel {
  const channel = new BroadcastChannel(name);
  channel.unref();
  return channel;
}
