/** What the sets are to hold of a state, by a configuration (pure). */
import type { NbrpcConfig, Sink } from './config.ts';
import { whenNoExitOf } from './exit-config.ts';
import { listedNames } from './flow-config.ts';
import { listedContents } from './listed.ts';
import { type WantedSets, wantedSets } from './sets.ts';
import { exitSets, setNames } from './sink.ts';
import type { StateView } from './state.ts';

export function wantedContents(config: NbrpcConfig, state: StateView, sink: Sink): WantedSets {
  // Whoever answers our questions must stay reachable the way it is now.
  const never = new Set(config.resolver.servers?.map((server) => server.address));
  for (const { endpoints } of config.exit) for (const address of endpoints) never.add(address);
  const exits = exitSets(sink);
  const ways = exits === undefined ? undefined : { exits, whenNone: whenNoExitOf(config) };
  const wanted = wantedSets(state, config.default_policy, setNames(sink), never, ways);
  const listed = listedContents(state, listedNames(sink), never);
  return { ...wanted, contents: new Map([...wanted.contents, ...listed]) };
}
