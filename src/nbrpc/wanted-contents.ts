/** What the sets are to hold of a state, by a configuration (pure). */
import type { NbrpcConfig } from './config.ts';
import { whenNoExitOf } from './exits.ts';
import { neverRouted, prioritiesOf } from './explaining.ts';
import { listedNames } from './flows.ts';
import { listedContents } from './listed.ts';
import type { OwnResolvers } from './own-resolvers.ts';
import { type WantedSets, wantedSets } from './sets.ts';
import { exitSets, setNames } from './sink.ts';
import type { Sink } from './sink-of.ts';
import type { StateView } from './state.ts';

/** What is configured, known and held. */
interface Wanting {
  readonly config: NbrpcConfig;
  readonly store: { readonly state: StateView };
  readonly sets: { readonly sink: Sink };
  readonly resolvers: Pick<OwnResolvers, 'of'>;
}

export function wantedContents({ config, store: { state }, sets: { sink }, resolvers }: Wanting): WantedSets {
  const never = neverRouted(config, resolvers.of(config));
  const exits = exitSets(sink);
  const ways = exits === undefined ? undefined : { exits, whenNone: whenNoExitOf(config) };
  const wanted = wantedSets(state, config.default_policy, setNames(sink), never, ways, prioritiesOf(config));
  const listed = listedContents(state, listedNames(sink), never);
  return { ...wanted, contents: new Map([...wanted.contents, ...listed]) };
}
