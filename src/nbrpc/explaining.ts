/** What an explanation is made of: configuration, state, and what a running daemon knows beside (pure). */
import { NetstewardError } from '../core/errors.ts';
import { familyOf } from './address.ts';
import { type Claim, claimsOf, type Settled, setFor, settledAddresses, type WayChoice } from './claims.ts';
import type { NbrpcConfig } from './config.ts';
import { exitsOf, whenNoExitOf } from './exits.ts';
import type { Explaining, ListPlace, SetsPlace } from './explain.ts';
import type { AddressRecord } from './model.ts';
import { timersOf } from './pass-settings.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import type { Plan } from './prompt/plan.ts';
import type { PromptRecord } from './prompt/record.ts';
import { promptDefaults } from './prompt/settings.ts';
import { secondResolverAddresses } from './second-resolver.ts';
import { presumedLines } from './sets.ts';
import { similarNames } from './similar.ts';
import { exitSets, setNames } from './sink.ts';
import { sinkOf } from './sink-of.ts';
import type { HostEntry, State, StateView } from './state.ts';

/** Of a running daemon. */
export interface RunningKnowledge {
  /** Seconds of the monotonic clock. */
  readonly monotonic: number;
  /** Seconds. */
  readonly counted: number;
  readonly exits: readonly ExitHealth[];
  /** Of this machine, where they are asked. */
  readonly resolvers?: ReadonlySet<string>;
  readonly prompt: (host: string, record: AddressRecord) => PromptRecord | undefined;
  readonly plan: (host: string, address: string) => Plan | undefined;
  readonly whyUnchecked: (host: string, address: string) => string | undefined;
}

/** The name as it is listed. Throws NetstewardError `host-unknown`. */
export function listedHost(name: string, state: StateView): string {
  const plain = name.toLowerCase().replace(/\.$/, '');
  const found = [name, plain].find((each) => state.host(each) !== undefined);
  if (found !== undefined) return found;
  const similar = similarNames(plain, names(state));
  throw new NetstewardError('host-unknown', `${name} is in no check list`, {
    remedy: similar.length === 0 ? 'Name a host of a check list.' : `Listed are: ${similar.join(', ')}.`,
  });
}

function* names(state: StateView): Iterable<string> {
  for (const { record } of state.hosts()) yield record.name;
}

/** Without `running` the state file is all that is known. `now`: milliseconds since the epoch. */
export function explainingOf(
  host: string,
  config: NbrpcConfig,
  state: State,
  now: number,
  lists: readonly ListPlace[],
  running?: RunningKnowledge,
): Explaining {
  const sink = sinkOf(config);
  const names = setNames(sink);
  const sets = exitSets(sink);
  const exits = exitsOf(config).map(({ name }) => name);
  const settled = settledOf(host, config, state, running?.resolvers);
  return {
    now,
    counted: running?.counted ?? now / 1000 - state.timeline.lost,
    running: running !== undefined,
    state,
    settings: {
      schedule: config.schedule,
      fallback: config.default_policy,
      timers: timersOf(config),
      prompt: { ...promptDefaults, exit: exits.length > 0 },
      exits,
    },
    lists,
    exits: running?.exits ?? [],
    sets: setsPlace(config),
    monotonic: running?.monotonic,
    prompt: running?.prompt ?? ((_, record) => record.prompt),
    plan: running?.plan ?? (() => undefined),
    whyUnchecked: running?.whyUnchecked ?? (() => undefined),
    settled: (address) => settled.get(address),
    setOf: (way, address) => setFor(way, familyOf(address), names, sets),
  };
}

export function setsPlace(config: NbrpcConfig): SetsPlace {
  const sink = sinkOf(config);
  const { blocked4, blocked6, ...others } = setNames(sink);
  const around = [...(exitSets(sink)?.values() ?? [{ blocked4, blocked6 }])];
  const names = [...around, others].flatMap((each) => Object.values(each)).filter((name) => name !== undefined);
  const { family, table } = sink.kind === 'sets' ? sink.sets : { family: 'inet' as const, table: sink.table.name };
  return { family, table, names: [...new Set(names)] };
}

/** Priority of each host that has one, 0 for all others. */
export function prioritiesOf({ service }: RoutingConfig): (host: string) => number {
  const own = new Map(service.map(({ host, priority }) => [host, priority ?? 0]));
  return (host) => own.get(host) ?? 0;
}

/** What routes are made of, beside the state. */
export type RoutingConfig = Pick<
  NbrpcConfig,
  'schedule' | 'default_policy' | 'exit' | 'service' | 'when_no_exit' | 'resolver' | 'table' | 'sets'
>;

export function waysOf(config: RoutingConfig): WayChoice {
  const exits = exitsOf(config).map(({ name }) => name);
  return { exits: exits.length === 0 ? undefined : exits, whenNone: whenNoExitOf(config) };
}

/**
 * Addresses that never enter a set: whoever answers our questions must stay reachable the way it is now. `own`: of the machine's
 * own resolvers, where those are asked.
 */
export function neverRouted(config: RoutingConfig, own: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  const never = new Set(config.resolver.servers?.map(({ address }) => address));
  for (const { endpoints } of config.exit) for (const address of endpoints) never.add(address);
  for (const address of secondResolverAddresses(config.resolver.second)) never.add(address);
  for (const address of own) never.add(address);
  return never;
}

/** Of the host's addresses, with what all other hosts want of them. */
function settledOf(
  host: string,
  config: NbrpcConfig,
  state: State,
  resolvers: ReadonlySet<string> | undefined,
): ReadonlyMap<string, Settled> {
  const own = state.host(host)?.addresses;
  const entries = [...state.hosts()].filter(({ addresses }) => {
    for (const address of addresses.keys()) if (own?.has(address)) return true;
    return false;
  });
  return settledAddresses(
    claimsIn(entries, config),
    neverRouted(config, resolvers),
    (address) => own?.has(address) === true,
  );
}

/** What each of these hosts wants of its addresses. */
export function claimsIn(entries: Iterable<HostEntry>, config: RoutingConfig): readonly (readonly Claim[])[] {
  const priority = prioritiesOf(config);
  const ways = waysOf(config);
  return [...entries].map((entry) => {
    return claimsOf(entry, presumedLines(entry, config.default_policy), ways, priority(entry.record.name));
  });
}
