/** What nft itself says of rules, in its check mode: nothing is changed, and neither units nor ruleset have to be there yet. */
import { NftError, type NftMark } from '../system/nft-error.ts';
import { filePathProblem, type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { CgroupTree } from '../system/unit-ports.ts';
import type { UnitStatement } from './rule.ts';
import { chainKey, setKey } from './selection.ts';
import { type Span, type StandIn, standIn } from './stand-in.ts';

/** More mistakes than this are only counted: each costs a look at everything. */
const mostProblems = 50;

/** What nft says of a cgroup that does not exist (src/datatype.c). */
export const pathFails = 'cgroupv2 path fails';

/**
 * nft joins a path to /sys/fs/cgroup and asks for the inode's number, whatever it is of (src/datatype.c): where there are too
 * few cgroups, the root and its files (cgroups(7)) have numbers of their own.
 */
const inRoot = ['.', 'cgroup.procs', 'cgroup.threads', 'cgroup.stat', 'cgroup.controllers', 'cgroup.subtree_control'];

export interface RuleProblem {
  readonly statement: UnitStatement;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  /** Characters of the statement; undefined where it is not about a word of it. */
  readonly span: Span | undefined;
}

export interface NftVerdict {
  readonly problems: readonly RuleProblem[];
  /** More than `problems` has. */
  readonly more: boolean;
  /** Files that nft does not load by themselves, and its own words on why. */
  readonly fragments: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * `files`: absolute paths of the rulesets that the statements belong to, so that what they define is known. Rejects with what nft rejects with for reasons that lie in none of the rules.
 */
export async function checkWithNft(
  nft: Nft,
  tree: Pick<CgroupTree, 'children'>,
  files: readonly string[],
  statements: readonly UnitStatement[],
): Promise<NftVerdict> {
  const existing = existingCgroups(tree, 1 + Math.max(0, ...statements.map(({ cgroups }) => cgroups.length)));
  const subjects = statements.map((statement): Subject => ({ statement, stand: standIn(statement, existing) }));
  const fragments: { file: string; reason: string }[] = [];
  const includes: NftOperation[] = [];
  for (const file of files) {
    const reason = await whyNotLoaded(nft, includes, file);
    if (reason === undefined) includes.push({ op: 'include', path: file });
    else fragments.push({ file, reason });
  }
  const together = await examine(nft, includes, subjects);
  const loaded = includes.length === 0 ? together : await examine(nft, [], subjects);
  const problems = subjects.flatMap((subject) => {
    const one = verdictOf(subject, together, loaded);
    return one === undefined ? [] : [one];
  });
  const { length } = problems;
  return { problems: problems.slice(0, mostProblems), more: together.more || length > mostProblems, fragments };
}

/** Paths that nft takes for cgroups: those of the tree from its top down, as many as are wanted. */
export function existingCgroups(tree: Pick<CgroupTree, 'children'>, wanted: number): readonly string[] {
  const found: string[] = [];
  const queue = [''];
  for (let path = queue.shift(); path !== undefined && found.length < wanted; path = queue.shift()) {
    for (const name of tree.children(path) ?? []) {
      const child = path === '' ? name : `${path}/${name}`;
      if (!/^[ !#-~]+$/.test(child)) continue;
      found.push(child);
      queue.push(child);
    }
  }
  return [...found, ...inRoot.slice(0, Math.max(0, wanted - found.length))];
}

interface Subject {
  readonly statement: UnitStatement;
  readonly stand: StandIn;
}

/** What one look at all statements has found. */
interface Examined {
  /** Of chains and sets that are not there. */
  readonly missing: ReadonlySet<string>;
  readonly refusals: ReadonlyMap<Subject, Refusal>;
  readonly more: boolean;
}

interface Refusal {
  readonly error: NftError;
  /** Within the text of the item's last operation. */
  readonly mark: NftMark | undefined;
}

async function whyNotLoaded(nft: Nft, before: readonly NftOperation[], path: string): Promise<string | undefined> {
  const problem = filePathProblem(path);
  if (problem !== undefined) return `nft cannot include it: its path ${problem}`;
  try {
    await nft.check(nftScript(...before, { op: 'include', path }));
    return undefined;
  } catch (error) {
    if (!(error instanceof NftError) || error.refusal === 'died') throw error;
    return error.message;
  }
}

/** First whether chains and sets are there, then the rules in chains of their own behind them, as netsteward has them. */
async function examine(nft: Nft, includes: readonly NftOperation[], subjects: readonly Subject[]): Promise<Examined> {
  const frames = new Map<string, Frame>();
  for (const { statement } of subjects) {
    const key = targetKey(statement);
    if (!frames.has(key)) frames.set(key, frameOf(statement, frames.size));
  }
  const all = [...frames].map(([key, frame]) => ({ subject: key, operations: frame.present }));
  const absent = await sift(nft, includes, all, Number.POSITIVE_INFINITY);
  const missing = new Set([...absent.refused].flatMap(([key, { error }]) => (error.refusal === 'missing' ? key : [])));
  const base = [...includes];
  for (const [key, { present, scratch }] of frames) {
    if (!absent.refused.has(key)) base.push(...present);
    else if (missing.has(key)) base.push(...scratch);
  }
  const refusals = new Map<Subject, Refusal>();
  const rules: Item<Subject>[] = [];
  for (const subject of subjects) {
    const { statement } = subject;
    const key = targetKey(statement);
    const refusal = absent.refused.get(key);
    // A chain that cannot be jumped from for any reason but its absence is a fault of all its rules.
    if (refusal !== undefined && !missing.has(key)) refusals.set(subject, { error: refusal.error, mark: undefined });
    // A rule can be looked at without its chain; elements cannot without their set.
    else if (refusal === undefined || statement.kind === 'rule') {
      rules.push({ subject, operations: [statementOperation(subject, frames.get(key)?.chain ?? '')] });
    }
  }
  const { refused, more } = await sift(nft, base, rules, mostProblems);
  for (const [subject, refusal] of refused) {
    // One of the cgroups that stand in for others has gone meanwhile.
    if (!refusal.error.message.includes(pathFails)) refusals.set(subject, refusal);
  }
  return { missing, refusals, more };
}

const targetKey = (statement: UnitStatement): string =>
  statement.kind === 'rule' ? `chain ${chainKey(statement)}` : `set ${setKey(statement)}`;

interface Frame {
  readonly chain: string;
  /** Fails where the chain or set is not there. */
  readonly present: readonly NftOperation[];
  /** What lets rules be looked at all the same. */
  readonly scratch: readonly NftOperation[];
}

function frameOf(statement: UnitStatement, index: number): Frame {
  const table: NftTable = { family: statement.family, name: statement.table };
  const chain = `netsteward-check-${index}`;
  if (statement.kind === 'element') {
    const { set } = statement;
    // Nothing is flushed in check mode; it only has to be there.
    return { chain, present: [{ op: 'flush-set', table, set }], scratch: [] };
  }
  const own: NftOperation = { op: 'add-plain-chain', table, chain, comment: 'a check' };
  return {
    chain,
    present: [own, { op: 'add-rule', table, chain: statement.chain, when: [], action: { kind: 'jump', chain } }],
    scratch: [{ op: 'add-table', table }, own],
  };
}

function statementOperation({ statement, stand }: Subject, chain: string): NftOperation {
  const table: NftTable = { family: statement.family, name: statement.table };
  if (statement.kind === 'rule') return { op: 'add-statement', table, chain, statement: stand.text };
  return { op: 'add-members', table, set: statement.set, members: [stand.text] };
}

interface Item<Key> {
  readonly subject: Key;
  readonly operations: readonly NftOperation[];
}

/**
 * All at once; what is refused is found by nft's caret and left out, then the rest is looked at again. Where the caret points
 * at none of them, halves are tried until the culprit stands alone, or what is too long for one message is not any more.
 */
async function sift<Key>(
  nft: Nft,
  base: readonly NftOperation[],
  items: readonly Item<Key>[],
  most: number,
): Promise<{ readonly refused: ReadonlyMap<Key, Refusal>; readonly more: boolean }> {
  const refused = new Map<Key, Refusal>();
  const pending: (readonly Item<Key>[])[] = [items];
  for (let group = pending.pop(); group !== undefined; group = pending.pop()) {
    if (group.length === 0) continue;
    if (refused.size >= most) return { refused, more: true };
    const script = nftScript(...base, ...group.flatMap(({ operations }) => operations));
    try {
      await nft.check(script);
    } catch (error) {
      if (!(error instanceof NftError) || error.refusal === 'died') throw error;
      const spot = error.mark && script.at(error.mark.from);
      const culprit = spot && itemAt(group, spot.operation - base.length);
      const [only] = group;
      if (culprit !== undefined && spot !== undefined && error.mark !== undefined) {
        const from = spot.column;
        const mark = { from, to: Math.min(spot.text.length, from + error.mark.to - error.mark.from) };
        refused.set(culprit.subject, { error, mark: withinWords(culprit, spot, mark) });
        pending.push(group.filter((item) => item !== culprit));
      } else if (group.length === 1 && only !== undefined) {
        // The base alone is taken: whyNotLoaded() and the first look have seen to that.
        refused.set(only.subject, { error, mark: undefined });
      } else {
        const middle = group.length >> 1;
        pending.push(group.slice(middle), group.slice(0, middle));
      }
    }
  }
  return { refused, more: false };
}

function itemAt<Key>(items: readonly Item<Key>[], index: number): Item<Key> | undefined {
  let first = 0;
  if (index < 0) return undefined;
  for (const item of items) {
    if (index < first + item.operations.length) return item;
    first += item.operations.length;
  }
  return undefined;
}

/** From the operation's text to the words in it that others wrote; undefined where the mark is on more or on others. */
function withinWords(
  { operations }: Item<unknown>,
  { text }: { readonly text: string },
  mark: NftMark,
): NftMark | undefined {
  const last = operations.at(-1);
  const [words, after] =
    last?.op === 'add-statement'
      ? [last.statement, '']
      : last?.op === 'add-members'
        ? [last.members.join(', '), ' }']
        : ['', ''];
  const start = text.length - after.length - words.length;
  if (words === '' || mark.from < start || mark.from >= start + words.length) return undefined;
  return { from: mark.from - start, to: Math.min(mark.to - start, words.length) };
}

function verdictOf(subject: Subject, together: Examined, loaded: Examined): RuleProblem | undefined {
  const { statement } = subject;
  const key = targetKey(statement);
  const absent = together.missing.has(key);
  const problem = (severity: RuleProblem['severity'], message: string, mark?: NftMark): RuleProblem => {
    return { statement, severity, message, span: mark && subject.stand.spanOf(mark) };
  };
  const said = (examined: Examined): Refusal | undefined => examined.refusals.get(subject);
  if (absent && loaded.missing.has(key)) {
    const refusal = said(together);
    if (refusal !== undefined && refusal.error.refusal !== 'missing') {
      return problem('error', firstLine(refusal.error), refusal.mark);
    }
    return problem('warning', missingText(statement));
  }
  const first = absent ? said(loaded) : said(together);
  if (first !== undefined) return problem('error', firstLine(first.error), first.mark);
  const other = absent || loaded.missing.has(key) ? undefined : said(loaded);
  if (other === undefined || other.error.refusal === 'missing') return undefined;
  // The kernel looks at some things only in tables that it has already, such as whether a chain may masquerade.
  return problem('warning', `with the ruleset that is loaded now: ${firstLine(other.error)}`, other.mark);
}

function missingText(statement: UnitStatement): string {
  const { family, table } = statement;
  const what = statement.kind === 'rule' ? `chain ${statement.chain}` : `set ${statement.set}`;
  return `neither the file nor the kernel has a ${what} in the table ${family} ${table}: the rule waits until there is one`;
}

/** nft's own words, without those that say that it failed. */
function firstLine({ message }: NftError): string {
  const [line = ''] = message.split('\n', 1);
  return line.replace(/^Error: /, '').replace(/^Could not process rule: /, '');
}
