/** What the watch says of its resolvers to those who ask them for names (pure). */
import type { ResolverWord } from '../system/resolver-word.ts';
import type { ResolverWatch } from './resolver-watch.ts';
import { readResolver } from './transport-address.ts';

/**
 * Of a resolver in doubt, or that cannot be judged, nothing is known; and of one whose place a fallback has taken nobody asks
 * anything.
 */
export function resolverWords(watches: readonly ResolverWatch[]): readonly ResolverWord[] {
  return watches
    .filter(({ switched }) => switched.length === 0)
    .map(({ label, last, state: { failing, excused, rhythm } }) => {
      const { choice } = readResolver(label);
      const judged = last !== undefined && excused === undefined;
      const right = !judged ? undefined : failing !== undefined ? false : rhythm.phase === 'doubt' ? undefined : true;
      return { address: choice?.kind === 'server' ? choice.server.address : undefined, right };
    });
}
