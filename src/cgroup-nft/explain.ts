/** Why a cgroup's traffic is what groups and rules are about, and what keeps others from being about it (pure). */
import { compilePattern, compileUnitPattern, matchesPath, normalPath } from './glob.ts';
import { NameGlob } from './name-glob.ts';
import type { CgroupReference, UnitStatement } from './rule.ts';
import type { Selection } from './selection.ts';
import { defaultPath, directoryNames, pathDepth, slicePath, unitOfDirectory } from './unit-name.ts';

/** A group or statement that names a cgroup, or one above it: nftables compares ancestors, so what is below is meant too. */
export type Covering = {
  /** The cgroup that is named. */
  readonly path: string;
} & (
  | { readonly kind: 'group'; readonly group: string; readonly pattern: string }
  | {
      readonly kind: 'statement';
      readonly statement: UnitStatement;
      readonly reference: CgroupReference;
      /** False: nftables looks at another level than the one the cgroup is at, and never finds it. */
      readonly fits: boolean;
    }
);

export function coveringOf(path: string, { groups, statements }: Selection): readonly Covering[] {
  const found: Covering[] = [];
  for (const named of upwards(path)) {
    for (const { name, units } of groups) {
      const pattern = units.find((unit) => matchesPath(compileUnitPattern(unit), named));
      if (pattern !== undefined) found.push({ kind: 'group', path: named, group: name, pattern });
    }
    for (const statement of statements) {
      const reference = statement.cgroups.find((each) => matchesPath(compilePattern(each.path), named));
      if (reference === undefined) continue;
      const fits = reference.level === undefined || reference.level === pathDepth(named);
      found.push({ kind: 'statement', path: named, statement, reference, fits });
    }
  }
  return found;
}

/** The path itself first. */
function upwards(path: string): readonly string[] {
  const names = path.split('/');
  return names.map((_, index) => names.slice(0, names.length - index).join('/'));
}

export interface NearMiss {
  readonly what: string;
  readonly why: string;
}

/** What names the unit, or has it as its trigger, and is about none of its cgroups. `paths`: where they are, or would be. */
export function nearMisses(
  unit: string,
  paths: readonly string[],
  { groups, statements }: Selection,
): readonly NearMiss[] {
  const directories = [...new Set([unit, ...directoryNames(unit), ...paths.map(lastName)])];
  const names = (text: string): boolean => {
    const glob = new NameGlob(lastName(normalPath(text)));
    return directories.some((name) => glob.matches(name) || glob.matches(unitOfDirectory(name)));
  };
  const [place] = paths;
  const misses: NearMiss[] = [];
  for (const { name, units } of groups) {
    for (const pattern of units.filter(names)) {
      if (paths.some((path) => upwards(path).some((each) => matchesPath(compileUnitPattern(pattern), each)))) continue;
      misses.push({ what: `group ${name}`, why: `"${pattern}" ${elsewhere(place, groupHint(unit, place))}` });
    }
  }
  for (const statement of statements) {
    const { cgroups } = statement;
    if (statement.unit !== unit && !cgroups.some(({ path }) => names(path))) continue;
    const covers = ({ path: named }: CgroupReference): boolean =>
      paths.some((path) => upwards(path).some((each) => matchesPath(compilePattern(named), each)));
    if (cgroups.some(covers)) continue;
    const what = `${statement.place.file}:${statement.place.line}`;
    const [first] = cgroups;
    if (first === undefined) misses.push({ what, why: 'it names no cgroup: it is about all traffic of its chain' });
    else misses.push({ what, why: `"${first.path}" ${elsewhere(place, ruleHint(first, place))}` });
  }
  return misses;
}

function elsewhere(place: string | undefined, hint: string): string {
  return place === undefined ? 'is no cgroup of the unit' : `is another place than "${place}"${hint}`;
}

function ruleHint({ path }: CgroupReference, place: string | undefined): string {
  if (place === undefined) return '';
  const deeper = pathDepth(place) - pathDepth(path);
  const template = /^(?:.*\/)?(?:system|app)-[^/]*\.slice\//.test(place) && lastName(place).includes('@');
  const why =
    deeper === 1 && template ? ', which is one level deeper: instances of a template have a slice of their own' : '';
  return `${why}: write socket cgroupv2 level ${pathDepth(place)} "${place}"`;
}

function groupHint(unit: string, place: string | undefined): string {
  const user = place === undefined ? null : /^user\.slice\/user-\d+\.slice\/(user@\d+\.service)\/./.exec(place);
  if (user !== null) return `: units of users are named as "user@*.service/**/${unit}"`;
  return `: write "${unit}"`;
}

/** Where the unit's cgroup would be; undefined for what has none. `slice`: its Slice=, where that is known. */
export function wouldBePath(unit: string, slice: string | undefined): string | undefined {
  const above = slice === undefined ? undefined : slicePath(slice);
  const usual = defaultPath(unit);
  if (usual === undefined || above === undefined || unit.endsWith('.slice')) return usual;
  const name = directoryNames(unit)[0];
  return above === '' ? name : `${above}/${name}`;
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
