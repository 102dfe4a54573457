/** Paths with globs: of cgroups in rules, and of units in groups; which cgroups match, and which directories to watch (pure). */
import { NetstewardError } from '../core/errors.ts';
import { NameGlob, nameGlobProblem } from './name-glob.ts';
import { slicePath, unitOfDirectory } from './unit-name.ts';

/** One name of a path. With `unit`, the glob may match the unit's name or its directory's. */
interface NameStep {
  readonly glob: NameGlob;
  readonly unit: boolean;
}

/** `slices`: any number of them, none too. */
export type Step = NameStep | 'slices';

/** Made by compilePattern() or compileUnitPattern(). */
export interface PathPattern {
  /** As written. */
  readonly text: string;
  /** Whether it matches one path alone, which is `text`. */
  readonly literal: boolean;
  /** A path matches when it matches one of these. */
  readonly routes: readonly (readonly Step[])[];
}

/** Names on a path; real trees are some ten deep. */
const mostNames = 32;
/** What joins /sys/fs/cgroup in libnftables (src/datatype.c) has PATH_MAX bytes in all. */
const longestPath = 3000;

/** What is wrong with a path of a rule, or undefined. Slashes at the ends and doubled ones must be gone (normalPath). */
export function patternProblem(text: string): string | undefined {
  if (text === '') return "the cgroup's path is empty";
  if (text.length > longestPath) return `the path is longer than ${longestPath} characters`;
  if (!/^[ !#-~]*$/.test(text)) return 'the path has a character that is not ASCII, or a quote or control character';
  const names = text.split('/');
  if (names.length > mostNames) return `the path has more than ${mostNames} names`;
  for (const name of names) {
    const problem = nameGlobProblem(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Without slashes at the ends and doubled ones: the file system does not mind them, comparisons do. */
export function normalPath(path: string): string {
  return path.split('/').filter(Boolean).join('/');
}

/** A path as rules have it: names of directories, each with globs or without. Throws NetstewardError `glob-invalid`. */
export function compilePattern(text: string): PathPattern {
  const problem = patternProblem(text);
  if (problem !== undefined) throw new NetstewardError('glob-invalid', `${JSON.stringify(text)}: ${problem}`);
  const steps = text.split('/').map((name) => ({ glob: new NameGlob(name), unit: false }));
  return { text, literal: steps.every(({ glob }) => glob.literal), routes: [steps] };
}

/** What is wrong with a unit of a group, or undefined. */
export function unitPatternProblem(text: string): string | undefined {
  const path = normalPath(text);
  if (path === '') return 'the name of the unit is missing';
  if (path.endsWith('**')) return 'after "**" the name of the unit is missing';
  return patternProblem(path);
}

const userManagers = 'user.slice/user-*.slice/user@*.service';
/** systemd.special(7): slices that user managers have. */
const userSlices: ReadonlySet<string> = new Set(['app.slice', 'session.slice', 'background.slice']);

// The double star with a slash would end a comment of the other kind.
//
// Units of a group. Names are those of units (`memory.service` finds `_memory.service`) or of their directories, and `**`
// stands for any number of slices, none too.
//
// - `postfix.service`, `foo@*.service`, `foo.service/worker`: wherever the system's manager has put it, that is below
//   slices alone. Units of users do not count: any user can give one of his the name `postfix.service`.
// - `user@*.service/app.slice/app-org.kde.*`, `user@1000.service/**/firefox*.scope`: what users' managers have. Only the
//   managers at `user.slice/user-UID.slice` count: nobody but root can make one there.
// - `system.slice/postfix.service`: what begins with a slice stands where that slice's name says.
// - `app-firefox-*.scope`, `app.slice/...`: names beginning with `app-`, and the slices app, session and background, are
//   by convention those of users' programs (systemd.io, DESKTOP_ENVIRONMENTS), so users' managers are looked through too.
//
// Throws NetstewardError `glob-invalid`.
export function compileUnitPattern(text: string): PathPattern {
  const problem = unitPatternProblem(text);
  if (problem !== undefined) throw new NetstewardError('glob-invalid', `${JSON.stringify(text)}: ${problem}`);
  const path = normalPath(text);
  const [first = '', ...rest] = path.split('/');
  const below = (root: string): string => (root === '' ? path : `${root}/${path}`);
  if (first.startsWith('user@') && rest.length > 0) return unitPattern(text, [below('user.slice/user-*.slice')]);
  const own = below(rootOf(first));
  const ofUsers = first.startsWith('app-') || userSlices.has(first);
  return unitPattern(text, ofUsers ? [own, `${userManagers}/${own}`] : [own]);
}

/** Where a pattern that begins with this name starts: `''` for the root itself. */
function rootOf(first: string): string {
  if (first === '**' || !first.endsWith('.slice')) return first === '**' ? '' : '**';
  const place = slicePath(first);
  if (place === undefined) return '**';
  return place.split('/').slice(0, -1).join('/');
}

function unitPattern(text: string, paths: readonly string[]): PathPattern {
  const routes = paths.map((path) =>
    path
      .split('/')
      // "**/**" says no more than "**".
      .filter((name, index, names) => name !== '**' || names[index - 1] !== '**')
      .map((name): Step => (name === '**' ? 'slices' : { glob: new NameGlob(name), unit: true })),
  );
  return { text, literal: false, routes };
}

export function matchesPath(pattern: PathPattern, path: string): boolean {
  if (pattern.literal) return pattern.text === path;
  // The root has no name, and no pattern means it.
  if (path === '') return false;
  const names = path.split('/');
  return pattern.routes.some((steps) => matchesRoute(steps, names));
}

function matchesRoute(steps: readonly Step[], names: readonly string[]): boolean {
  /** How many steps may be done with: a path can be read in several ways. */
  let done = skipped(steps, [0]);
  for (const name of names) {
    const next = [...done].flatMap((count) => {
      const step = steps[count];
      if (step === undefined) return [];
      if (step === 'slices') return name.endsWith('.slice') ? [count] : [];
      return step.glob.matches(name) || (step.unit && step.glob.matches(unitOfDirectory(name))) ? [count + 1] : [];
    });
    done = skipped(steps, next);
  }
  return done.has(steps.length);
}

/** With what is there when no slice comes where any number may. */
function skipped(steps: readonly Step[], counts: readonly number[]): ReadonlySet<number> {
  return new Set(counts.flatMap((count) => (steps[count] === 'slices' ? [count, count + 1] : [count])));
}

/** Whether a directory is one of those meant, and whether some of those may be below it. `''` is the root. */
export interface PathInterest {
  readonly match: boolean;
  readonly watch: boolean;
}

/** What many patterns together want of a directory. Made once for all of them; a question takes some microseconds. */
export function compileInterest(patterns: readonly PathPattern[]): (path: string) => PathInterest {
  const index = new PatternIndex(patterns.map((pattern) => [pattern, undefined]));
  return (path) => index.at(path);
}

/** Many patterns, each with a value: finds those that a path matches without trying them one by one. */
export class PatternIndex<Value> {
  readonly #root = new Node<Value>(false);

  constructor(entries: Iterable<readonly [PathPattern, Value]>) {
    for (const [pattern, value] of entries) {
      for (const steps of pattern.routes) {
        let node = this.#root;
        for (const step of steps) node = node.child(step);
        node.values.add(value);
      }
    }
  }

  /** `values`: of the patterns that match, each once. */
  at(path: string): PathInterest & { readonly values: readonly Value[] } {
    let nodes = new Set<Node<Value>>();
    this.#root.enter(nodes);
    for (const name of path === '' ? [] : path.split('/')) {
      const next = new Set<Node<Value>>();
      for (const node of nodes) node.follow(name, next);
      nodes = next;
      if (nodes.size === 0) break;
    }
    const values = new Set<Value>();
    let match = false;
    let watch = false;
    for (const node of nodes) {
      match ||= node.values.size > 0;
      watch ||= node.inner;
      for (const value of node.values) values.add(value);
    }
    return { match, watch, values: [...values] };
  }
}

/** A place that patterns have in common up to here. */
class Node<Value> {
  readonly values = new Set<Value>();
  /** Reached by `**`: any further slice leads here again. */
  readonly #loops: boolean;
  #slices: Node<Value> | undefined;
  readonly #literals = new Map<string, Node<Value>>();
  readonly #unitLiterals = new Map<string, Node<Value>>();
  /** By the length of what they begin with, then by that itself, then by their text: few of thousands have to be tried. */
  readonly #globs = new Map<
    number,
    Map<string, Map<string, { readonly step: NameStep; readonly node: Node<Value> }>>
  >();

  constructor(loops: boolean) {
    this.#loops = loops;
  }

  get inner(): boolean {
    return this.#literals.size + this.#unitLiterals.size + this.#globs.size > 0 || this.#slices !== undefined;
  }

  child(step: Step): Node<Value> {
    if (step === 'slices') {
      this.#slices ??= new Node<Value>(true);
      return this.#slices;
    }
    const { glob, unit } = step;
    const make = (): Node<Value> => new Node<Value>(false);
    if (glob.literal) return entryOf(unit ? this.#unitLiterals : this.#literals, glob.text, make);
    const ofLength = entryOf(this.#globs, glob.prefix.length, () => new Map());
    const ofPrefix = entryOf(ofLength, glob.prefix, () => new Map());
    return entryOf(ofPrefix, `${unit} ${glob.text}`, () => ({ step, node: make() })).node;
  }

  enter(nodes: Set<Node<Value>>): void {
    nodes.add(this);
    if (this.#slices !== undefined) nodes.add(this.#slices);
  }

  follow(name: string, nodes: Set<Node<Value>>): void {
    if (this.#loops && name.endsWith('.slice')) this.enter(nodes);
    this.#literals.get(name)?.enter(nodes);
    this.#unitLiterals.get(name)?.enter(nodes);
    this.#followGlobs(name, name, nodes);
    const unit = unitOfDirectory(name);
    if (unit === name) return;
    this.#unitLiterals.get(unit)?.enter(nodes);
    this.#followGlobs(unit, name, nodes);
  }

  /** As the directory has it (`text` is `name`), or as the unit's name (then only where units are meant). */
  #followGlobs(text: string, name: string, nodes: Set<Node<Value>>): void {
    for (const [length, prefixes] of this.#globs) {
      for (const { step, node } of prefixes.get(text.slice(0, length))?.values() ?? []) {
        if ((text === name || step.unit) && step.glob.matches(text)) node.enter(nodes);
      }
    }
  }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
