/** Which counter of a unit's chain belongs to which of its rules, and to which cgroup (pure). */
import type { KernelCounter, KernelRule } from '../system/unit-ports.ts';
import { livingReferences, type Members } from './living.ts';
import { tokenize } from './nft-tokens.ts';
import type { UnitRule } from './rule.ts';
import { expandStatement } from './statement.ts';

/** Whether a rule counts packets: nft rules have a counter only where one is written. */
export function counts({ statement }: UnitRule): boolean {
  const read = tokenize(statement);
  return read.ok && read.tokens.some(({ kind, text }) => kind === 'word' && text === 'counter');
}

/** Undefined where there is no counter, or where it cannot be told whose it is. A rule of several cgroups has one for each. */
export type CounterOf = (rule: UnitRule, path: string) => KernelCounter | undefined;

/** `rules`: all of a unit for one chain, in the order of the files. `found`: what the kernel has in the unit's chain. */
export function ruleCounters(rules: readonly UnitRule[], members: Members, found: readonly KernelRule[]): CounterOf {
  const places = new Map<
    UnitRule,
    { readonly first: number; readonly paths: readonly string[]; readonly size: number }
  >();
  let first = 0;
  for (const rule of rules) {
    const living = livingReferences(rule, members);
    const size = expandStatement(rule, living).length;
    // A rule of one comparison becomes one for each path; of others it is not told which is which.
    places.set(rule, { first, paths: living.length === 1 ? (living[0] ?? []) : [], size });
    first += size;
  }
  // One that nft refused is missing, and all after it would be taken for another.
  if (first !== found.length) return () => undefined;
  return (rule, path) => {
    const place = places.get(rule);
    if (place === undefined) return undefined;
    if (place.size === 1) return found[place.first]?.counter;
    const at = place.paths.length === place.size ? place.paths.indexOf(path) : -1;
    return at < 0 ? undefined : found[place.first + at]?.counter;
  };
}
