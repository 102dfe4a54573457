/** What a policy means, and why it sends a service where it goes, in words for people (pure). */
import { familyOf } from './address.ts';
import type { HostRecord } from './model.ts';
import type { Vote } from './policy.ts';
import type { Policy, Route } from './policy-spec.ts';

const meanings: Readonly<Record<Route, string>> = {
  'af-all': 'one blocked address sends the whole service around',
  'af-any': 'the service goes around when neither IPv4 nor IPv6 is free of blocked addresses',
  'af-pick': 'a family (IPv4, IPv6) with a blocked address goes around',
  pick: 'each address goes by its own verdict',
  noroute: 'it is checked and shown, never routed around',
};

/** `af-all.4`, as it is in force. */
export function policyText({ route, newestOnly, family, zoneNewest, zoneTri, zoneShuffle }: Policy): string {
  const zone = `${zoneTri === null ? '' : zoneTri ? 'D' : 'N'}${zoneNewest ? 'L' : ''}${zoneShuffle ? 'R' : ''}`;
  const flags = `${family ?? ''}${newestOnly ? '1' : ''}${zone}`;
  return flags === '' ? route : `${route}.${flags}`;
}

export function policyMeaning({ route, newestOnly, family }: Policy): string {
  const newest = newestOnly ? '; only addresses of the newest DNS answer count' : '';
  return `${meanings[route]}${newest}${family === null ? '' : `; only IPv${family}`}`;
}

/** Why the service goes where it goes, as one sentence without its end. */
export function ruleApplied(record: HostRecord, policy: Policy, votes: readonly Vote[]): string {
  const { type, result } = record.check;
  if (policy.route === 'noroute') return 'its policy keeps it on the direct route, whatever its checks say';
  if (result === 'na') return 'the list says "=na": it is never checked, and always goes around';
  if (type === 'dns') return 'the list says ":dns": it is never checked, and always goes direct';
  if (votes.length === 0) return 'it has no known address, so nothing can be routed';
  const counted = policy.newestOnly ? votes.filter(({ newest }) => newest) : votes;
  const blocked = counted.filter(({ tri }) => tri === false);
  const found = `${blocked.length} of ${counted.length} address${counted.length === 1 ? '' : 'es'} blocked`;
  const undecided = counted.filter(({ tri }) => tri === null).length;
  const rest = undecided === 0 ? '' : `, ${undecided} not decided yet`;
  return `${meanings[policy.route]}: ${found}${rest}${familiesText(policy.route, counted)}`;
}

function familiesText(route: Route, votes: readonly Vote[]): string {
  if (route !== 'af-any' && route !== 'af-pick') return '';
  const families = ([4, 6] as const).flatMap((family) => {
    const own = votes.filter(({ address }) => familyOf(address) === family);
    if (own.length === 0) return [];
    return [`IPv${family} ${own.some(({ tri }) => tri === false) ? 'has blocked ones' : 'is free of them'}`];
  });
  return families.length === 0 ? '' : ` (${families.join(', ')})`;
}
