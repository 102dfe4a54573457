/** What is doubtful in rules that nft would take: levels, paths that never exist, rules that block (pure; no look at the host). */
import type { Diagnostic } from '../core/diagnostic.ts';
import { printable } from '../core/printable.ts';
import { normalPath } from './glob.ts';
import { tokenize } from './nft-tokens.ts';
import type { CgroupReference, UnitStatement } from './rule.ts';
import { statementPlace } from './rule-file.ts';
import {
  defaultPath,
  directoryNames,
  hasCgroup,
  parentSlice,
  pathDepth,
  slicePath,
  unescapeUnitText,
  unitNameProblem,
  unitOfDirectory,
  unitType,
} from './unit-name.ts';

export type LintCode =
  | 'level-mismatch'
  | 'impossible-path'
  | 'unlikely-path'
  | 'blocks'
  | 'inequality'
  | 'no-cgroup'
  | 'family'
  | 'trigger-name'
  | 'other-trigger';

/** `warning`: surely or probably not what was meant. `note`: may well be meant. */
export interface Lint extends Diagnostic {
  readonly code: LintCode;
  readonly severity: 'warning' | 'note';
}

interface Finding {
  readonly code: LintCode;
  readonly severity: Lint['severity'];
  readonly message: string;
  /** Index within the statement; without it the place is that of the trigger unit. */
  readonly at?: number;
}

/** In the order of the file. */
export function lintStatements(statements: readonly UnitStatement[]): readonly Lint[] {
  return statements.flatMap((statement) =>
    findingsOf(statement).map(({ code, severity, message, at }) => {
      const place = at === undefined ? statement.place : statementPlace(statement, at);
      return { ...place, code, severity, message: printable(`rule of ${statement.unit}: ${message}`) };
    }),
  );
}

function findingsOf(statement: UnitStatement): readonly Finding[] {
  const { cgroups } = statement;
  return [
    ...triggerFindings(statement),
    ...cgroups.flatMap((reference) => [...levelFindings(reference), ...pathFindings(reference)]),
    ...(statement.kind === 'rule' ? ruleFindings(statement.statement, statement) : []),
  ];
}

const hasGlob = (text: string): boolean => /[*?[]/.test(text);

function levelFindings({ level, path, start }: CgroupReference): readonly Finding[] {
  const depth = pathDepth(path);
  if (level === undefined || level === depth) return [];
  // net/netfilter/nft_socket.c compares the id of the socket's ancestor at that level; an ancestor's level is its depth.
  const above = path.split('/').slice(0, level).join('/');
  const instead = level > 0 && level < depth ? `, or name ${shown(above)} if all below it is meant` : '';
  const message = `level ${level} never matches ${shown(path)}, which has ${depth} name${depth === 1 ? '' : 's'}: write level ${depth}${instead}`;
  return [{ code: 'level-mismatch', severity: 'warning', message, at: start }];
}

/** Only of names that are surely units of systemd: other programs may make any directory in what is delegated to them. */
function pathFindings({ path, start }: CgroupReference, ofGroup = false): readonly Finding[] {
  const never = (message: string): Finding => ({ code: 'impossible-path', severity: 'warning', message, at: start });
  const mount = /^sys\/fs\/cgroup(?:\/unified)?(?:\/|$)/.exec(path)?.[0];
  if (mount !== undefined) {
    const rest = path.slice(mount.length);
    const instead = rest === '' ? 'name a cgroup below it' : `write ${shown(rest)}`;
    return [never(`${shown(path)} never exists: paths begin below the mount point, so ${instead}`)];
  }
  const names = path.split('/');
  return names.flatMap((name, index) => {
    const unit = unitOfDirectory(name);
    if (unitType(unit) === undefined) return [];
    // In a group names may be those of units, and what begins with a slice's name stands where that says.
    const own = ofGroup ? directoryNames(unit)[0] : name;
    const slice = ofGroup && index === 0 ? undefined : sliceProblem(own, names[index - 1]);
    const problem = nameProblem(own, unit) ?? slice;
    if (problem !== undefined) return [never(`${shown(path)} never exists: ${problem}`)];
    const unlikely = instanceProblem(unit, names.slice(0, index));
    return unlikely === undefined ? [] : [{ code: 'unlikely-path', severity: 'warning', message: unlikely, at: start }];
  });
}

/** Why systemd makes no directory of this name. Of globs only what holds for all that they match. */
function nameProblem(name: string, unit: string): string | undefined {
  const type = unitType(unit) ?? '';
  if (!hasCgroup(type)) return `a ${type} unit such as ${shown(unit)} has no cgroup`;
  if (hasGlob(name)) return undefined;
  const wrong = unitNameProblem(unit);
  if (wrong !== undefined) return `${shown(unit)} is no unit: ${wrong}`;
  if (unescapeUnitText(unit) === undefined)
    return `in ${shown(unit)} a "\\" is not followed by "x" and two hexadecimal digits`;
  if (type === 'slice' && slicePath(unit) === undefined) return `${shown(unit)} has a dash too many for a slice`;
  const made = directoryNames(unit);
  if (made.includes(name)) return undefined;
  return `the directory of ${shown(unit)} is ${made.map(shown).join(' or ')}`;
}

/** A slice's name says where it stands: `a-b.slice` in `a.slice`, and `a.slice` in none. */
function sliceProblem(name: string, above: string | undefined): string | undefined {
  if (!name.endsWith('.slice') || hasGlob(name)) return undefined;
  const parent = parentSlice(unitOfDirectory(name));
  if (parent === undefined) {
    if (above === undefined || !above.endsWith('.slice') || hasGlob(above)) return undefined;
    return `${shown(name)} stands in no other slice: write "${above.slice(0, -'.slice'.length)}-${name}", or leave ${shown(above)} out`;
  }
  if (above === undefined || (unitOfDirectory(above) !== parent && !hasGlob(above))) {
    return `${shown(name)} stands in ${shown(parent)}`;
  }
  return undefined;
}

/** Instances of templates get a slice of their own unless their settings name one. */
function instanceProblem(unit: string, above: readonly string[]): string | undefined {
  const manager = above.at(-1);
  const at = unit.indexOf('@');
  if (at < 1 || (manager !== 'system.slice' && manager !== 'app.slice') || hasGlob(unit.slice(0, at))) return undefined;
  // What follows the "@" does not matter to where it stands, but for users' managers.
  const place = defaultPath(hasGlob(unit) ? `${unit.slice(0, at)}@x.service` : unit)?.split('/');
  if (place === undefined) return undefined;
  const slice = manager === 'system.slice' ? place[1] : place[1]?.replace(/^system-/, 'app-');
  const path = place[0] === 'system.slice' ? [...above, slice, unit] : place;
  return `unless it has Slice=${manager}, an instance such as ${shown(unit)} stands elsewhere: ${shown(path.join('/'))}, level ${path.length}`;
}

/** What is doubtful in a unit of a group, one that unitPatternProblem() has nothing against. */
export function unitPatternLints(text: string): readonly Pick<Lint, 'code' | 'severity' | 'message'>[] {
  const path = normalPath(text);
  const names = path.split('/');
  const last = names.at(-1) ?? '';
  const found: Finding[] = [...pathFindings({ level: undefined, path, start: 0, end: 0 }, true)];
  const type = unitType(last);
  if (type === undefined && names.length === 1 && !hasGlob(last)) {
    const message = `${shown(last)} has no ending: the unit is ${shown(`${last}.service`)}, say`;
    found.push({ code: 'unlikely-path', severity: 'warning', message });
  }
  if (type === 'scope' && names.length === 1 && !/^(?:app-|session-|machine-|init\.scope$)/.test(last)) {
    const message = `${shown(last)} is looked for among the system's units alone: for those of users write ${shown(`user@*.service/**/${last}`)}`;
    found.push({ code: 'unlikely-path', severity: 'note', message });
  }
  return found.map(({ code, severity, message }) => ({ code, severity, message }));
}

function ruleFindings(text: string, { cgroups, family }: UnitStatement): readonly Finding[] {
  const read = tokenize(text);
  if (!read.ok) return [];
  const words = read.tokens.filter(({ kind }) => kind === 'word');
  const names = words.some(({ text: word }, index) => word === 'socket' && words[index + 1]?.text === 'cgroupv2');
  const found: Finding[] = [];
  if (!names) {
    const message = 'it names no cgroup, so it can stand in the ruleset itself';
    found.push({ code: 'no-cgroup', severity: 'note', message });
  } else if (family === 'arp' || family === 'bridge' || family === 'netdev') {
    // nft_socket_validate() and nft_socket_init() in net/netfilter/nft_socket.c.
    const message = `the kernel knows sockets in the families ip, ip6 and inet alone, not in ${family}`;
    found.push({ code: 'family', severity: 'warning', message });
  }
  const verdict = words.find(({ text: word }) => word === 'drop' || word === 'reject');
  if (verdict !== undefined && cgroups.length > 0) {
    const message =
      `"${verdict.text}" holds only while the cgroup exists and once the rule is in place, so what it shall block is open before: ` +
      `let the chain block and the rule allow, or use a strict mode (netsteward cgroup-nft drop-in)`;
    found.push({ code: 'blocks', severity: 'warning', message, at: verdict.start });
  }
  for (const { start } of cgroups) {
    const before = read.tokens.findLast(({ end, kind }) => end <= start && kind !== 'open');
    const inequality = before?.text === '!=' || before?.text === 'ne';
    if (!inequality) continue;
    const message = 'a rule for all but this cgroup is left out altogether while the cgroup does not exist';
    found.push({ code: 'inequality', severity: 'warning', message, at: start });
  }
  return found;
}

/** The journal's entries of the trigger unit let its rules be resolved anew. */
function triggerFindings({ unit, cgroups }: UnitStatement): readonly Finding[] {
  if (hasGlob(unit)) return [];
  const problem = unitNameProblem(unit);
  if (problem !== undefined) {
    return [{ code: 'trigger-name', severity: 'warning', message: `${shown(unit)} is no unit: ${problem}` }];
  }
  const named = cgroups.some(({ path }) =>
    path.split('/').some((name) => hasGlob(name) || name === unit || unitOfDirectory(name) === unit),
  );
  if (named || cgroups.length === 0) return [];
  const message = `the unit is no part of ${shown(cgroups[0]?.path ?? '')}: right if its start or stop makes that cgroup come or go`;
  return [{ code: 'other-trigger', severity: 'note', message }];
}

function shown(text: string): string {
  return `"${text.length > 200 ? `${text.slice(0, 200)}…` : text}"`;
}
