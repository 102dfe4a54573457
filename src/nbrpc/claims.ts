/** Whose word counts for an address that several listed hosts share: what each wants of it, and the rule that settles it (pure). */
import type { Family } from './model.ts';
import type { PolicyLine } from './policy.ts';
import type { SetNames } from './sets.ts';
import type { HostEntry } from './state.ts';

/** What becomes of blocked services. */
export interface WayChoice {
  /** Names in the preferred order; undefined: one way around, without a name. */
  readonly exits: readonly string[] | undefined;
  readonly whenNone: (host: string) => 'direct' | 'drop';
}

/** `nowhere`: blocked, but no way around works, so that it goes as if nobody had said anything. */
export type Way =
  | { readonly kind: 'direct' | 'dropped' | 'nowhere' }
  | { readonly kind: 'around'; readonly exit: string | undefined };

/** What one host wants of one of its addresses. */
export interface Claim {
  readonly host: string;
  readonly address: string;
  readonly verdict: 'ok' | 'na';
  readonly way: Way;
  /** Of `[[nbrpc.service]]`; 0 where it has none. */
  readonly priority: number;
}

/** Why a claim counts: nobody else has one, all want the same, or what made the difference. */
export type SettledBy = 'alone' | 'agreement' | 'priority' | 'need' | 'name';

export interface Settled {
  readonly claim: Claim;
  readonly by: SettledBy;
  /** The first by name that wants another route. */
  readonly against: Claim | undefined;
}

const direct: Way = { kind: 'direct' };

/** `lines`: what the host's policy says of its addresses. */
export function claimsOf(
  { record }: HostEntry,
  lines: readonly PolicyLine[],
  ways: WayChoice,
  priority: number,
): readonly Claim[] {
  const around = wayAround(record.name, record.exit, ways);
  return lines.map(({ address, verdict }) => {
    return { host: record.name, address, verdict, way: verdict === 'na' ? around : direct, priority };
  });
}

/** Of a blocked service. `exit`: as HostRecord has it. */
export function wayAround(host: string, exit: string | undefined, { exits, whenNone }: WayChoice): Way {
  if (exits === undefined) return { kind: 'around', exit: undefined };
  if (exit === '') return { kind: whenNone(host) === 'drop' ? 'dropped' : 'nowhere' };
  // Before it has chosen, and after its exit has left the configuration, until it chooses again.
  return { kind: 'around', exit: exit !== undefined && exits.includes(exit) ? exit : exits[0] };
}

/**
 * A way around harms nobody whom the direct route would serve, and a service that may not go direct is as safe there; so it
 * comes before a drop, and that before the direct route.
 */
const needs: Readonly<Record<Way['kind'], number>> = { around: 3, dropped: 2, direct: 1, nowhere: 0 };

/** Negative: `a` counts more. Priority, then need, then the name, so that the order of hosts never matters. */
function compare(a: Claim, b: Claim): number {
  return b.priority - a.priority || needs[b.way.kind] - needs[a.way.kind] || (a.host < b.host ? -1 : 1);
}

/** Of all claims to one address; at least one, each of another host. */
export function settle(claims: readonly Claim[]): Settled {
  const [first, ...others] = [...claims].sort(compare);
  if (first === undefined) throw new Error('no claim to settle');
  const differing = others.filter(({ way }) => !sameWay(way, first.way));
  const [against] = differing.sort((a, b) => (a.host < b.host ? -1 : 1));
  if (against === undefined) return { claim: first, by: others.length === 0 ? 'alone' : 'agreement', against };
  if (against.priority !== first.priority) return { claim: first, by: 'priority', against };
  return { claim: first, by: needs[against.way.kind] === needs[first.way.kind] ? 'name' : 'need', against };
}

/** Of every address that any host wants; `claims`: by host, `never`: addresses that enter no set. */
export function settledAddresses(
  claims: Iterable<readonly Claim[]>,
  never: ReadonlySet<string>,
  only: (address: string) => boolean = () => true,
): ReadonlyMap<string, Settled> {
  const settled = new Map<string, Settled>();
  // Nearly all addresses are of one host alone.
  const shared = new Map<string, Claim[]>();
  for (const ofHost of claims) {
    for (const claim of ofHost) {
      const { address } = claim;
      if (never.has(address) || !only(address)) continue;
      const first = settled.get(address);
      if (first === undefined) settled.set(address, { claim, by: 'alone', against: undefined });
      else shared.set(address, [...(shared.get(address) ?? [first.claim]), claim]);
    }
  }
  for (const [address, all] of shared) settled.set(address, settle(all));
  return settled;
}

export function sameWay(a: Way, b: Way): boolean {
  if (a.kind === 'around' && b.kind === 'around') return a.exit === b.exit;
  // Without a way around it goes direct.
  const plain = ({ kind }: Way): string => (kind === 'nowhere' ? 'direct' : kind);
  return plain(a) === plain(b);
}

/** The set that leads an address of this family this way; undefined: none is kept for it. */
export function setFor(
  way: Way,
  family: Family,
  names: SetNames,
  exits: ReadonlyMap<string, Pick<SetNames, 'blocked4' | 'blocked6'>> | undefined,
): string | undefined {
  switch (way.kind) {
    case 'direct':
      return names[`direct${family}`];
    case 'dropped':
      return names[`drop${family}`];
    case 'nowhere':
      return undefined;
    case 'around':
      return (way.exit === undefined ? names : exits?.get(way.exit))?.[`blocked${family}`];
  }
}

/** `direct`, `tunnel`, `exit fast`, …, for people. */
export function wayWords(way: Way): string {
  switch (way.kind) {
    case 'direct':
      return 'direct';
    case 'dropped':
      return 'dropped, as no exit works';
    case 'nowhere':
      return 'direct, as no exit works';
    case 'around':
      return way.exit === undefined ? 'tunnel' : `exit ${way.exit}`;
  }
}
