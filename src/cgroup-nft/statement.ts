/** What an nft statement says of cgroups: the paths in it, and the same statement with living cgroups in their places (pure). */
import { normalPath, patternProblem } from './glob.ts';
import { type Fault, type Token, type TokenList, tokenize } from './nft-tokens.ts';
import type { CgroupReference, UnitStatement } from './rule.ts';

/** A path that is compared with a packet's cgroup, or the members of an anonymous set or map. In the order of the text. */
type Part = { readonly kind: 'value'; readonly negated: boolean; readonly reference: CgroupReference } | SetPart;

interface SetPart {
  readonly kind: 'set';
  readonly start: number;
  readonly end: number;
  readonly members: readonly Member[];
}

/** Indexes within the statement. The key ends before data (of a map) and options such as `timeout`. */
interface Member {
  readonly start: number;
  readonly keyEnd: number;
  readonly end: number;
  /** Not of `*`, which stands for all else. */
  readonly reference: CgroupReference | undefined;
}

export type ReadStatement =
  | { readonly ok: true; readonly cgroups: readonly CgroupReference[] }
  | { readonly ok: false; readonly fault: Fault };

/** Thrown within this file alone. */
class StatementFault extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const form = 'write: socket cgroupv2 level N "PATH"';

/** Verdicts whose meaning depends on the chain that they stand in: netsteward puts each unit's rules into a chain of its own. */
const chainBound = new Map([
  [
    'return',
    '"return" would only leave the chain that netsteward keeps for the unit: write "accept", ' +
      'or "meta mark set …" here and a rule with "meta mark … return" in the chain itself',
  ],
  [
    'goto',
    '"goto" would come back to the chain it is written for, because netsteward puts the rule into a chain of its own: ' +
      'write "jump", and end the chain it names with a verdict for all packets',
  ],
]);

/** A rule's statement: that it is one, and the cgroups that it names. */
export function readRuleStatement(text: string): ReadStatement {
  return read(() => ruleParts(text).flatMap(referencesOf));
}

/** What stands between the braces of `add element`: each element begins with a path; more of its key, data and options may follow. */
export function readElements(text: string): ReadStatement {
  return read(() => referencesOf(elementPart(text)));
}

function read(references: () => readonly CgroupReference[]): ReadStatement {
  try {
    return { ok: true, cgroups: references() };
  } catch (error) {
    if (error instanceof StatementFault) return { ok: false, fault: { at: error.at, message: error.message } };
    throw error;
  }
}

function referencesOf(part: Part): readonly CgroupReference[] {
  return part.kind === 'value' ? [part.reference] : part.members.flatMap(({ reference }) => reference ?? []);
}

/**
 * The statement as nft shall get it now. `living`: for each of its references, in order, the paths that it stands for at
 * the moment. A rule becomes one rule for each path of its first comparison with several; in a set, a member becomes
 * several. Nothing is left of a rule when a comparison, or all members of one of its sets, stand for nothing. Paths that
 * nft's text cannot say are passed over: whom a part of the tree is delegated to can make a directory with a quote or a
 * line end in its name. Elements are given one by one.
 */
export function expandStatement(
  { kind, statement: text }: UnitStatement,
  living: readonly (readonly string[])[],
): readonly string[] {
  const queue = living.map((paths) => paths.filter(sayable).map((path) => `"${path}"`));
  if (kind === 'element') return membersText(text, elementPart(text), queue);
  let texts: readonly string[] = [''];
  let branched = false;
  let at = 0;
  for (const part of ruleParts(text)) {
    const { start, end } = part.kind === 'set' ? part : part.reference;
    const members = part.kind === 'set' ? membersText(text, part, queue) : (queue.shift() ?? []);
    if (members.length === 0) return [];
    const before = text.slice(at, start);
    at = end;
    if (part.kind === 'value' && !part.negated && !branched && members.length > 1) {
      branched = true;
      // One rule each, so that each has a limit, a quota and counters of its own, as if they had been written one by one.
      const stem = `${texts[0]}${before}`;
      texts = members.map((path) => stem + path);
      continue;
    }
    const list = members.join(', ');
    const filled = part.kind === 'set' ? ` ${list} ` : members.length === 1 ? list : `{ ${list} }`;
    texts = texts.map((stem) => stem + before + filled);
  }
  const rest = text.slice(at);
  return texts.map((stem) => stem + rest);
}

const sayable = (path: string): boolean => path !== '' && /^[ !#-~]*$/.test(path);

/** The members with their paths filled in; none when nothing lives of them. Of two with the same key the first counts. */
function membersText(text: string, part: SetPart, queue: (readonly string[])[]): readonly string[] {
  const texts = new Map<string, string>();
  let lives = false;
  for (const { start, keyEnd, end, reference } of part.members) {
    if (reference === undefined) {
      texts.set('*', text.slice(start, end));
      continue;
    }
    for (const path of queue.shift() ?? []) {
      lives = true;
      const key = text.slice(start, reference.start) + path + text.slice(reference.end, keyEnd);
      if (!texts.has(key)) texts.set(key, key + text.slice(keyEnd, end));
    }
  }
  return lives ? [...texts.values()] : [];
}

function tokensOf(text: string): TokenList {
  const tokenized = tokenize(text);
  if (!tokenized.ok) throw new StatementFault(tokenized.fault.at, tokenized.fault.message);
  return tokenized;
}

function ruleParts(text: string): readonly Part[] {
  const list = tokensOf(text);
  const { tokens } = list;
  const [first, second] = tokens;
  if (first === undefined) throw new StatementFault(0, 'the statement is missing after FAMILY TABLE CHAIN');
  if (/^(?:handle|position|index)$/.test(first.text) && /^\d+$/.test(second?.text ?? '')) {
    throw new StatementFault(
      first.start,
      `"${first.text}" is not possible: the rule goes into a chain that netsteward keeps for the unit, so leave it out`,
    );
  }
  const parts: Part[] = [];
  /** For each brace that is open: whether it holds what a rule adds to a set, and where it ends. */
  const dynamic: number[] = [];
  tokens.forEach((token, index) => {
    if (dynamic.at(-1) === index) dynamic.pop();
    // In a map, "25:goto x" is what "25 : goto x" is.
    const bound = token.kind === 'word' ? chainBound.get(token.text.split(':').at(-1) ?? '') : undefined;
    if (bound !== undefined) throw new StatementFault(token.start, bound);
    if (token.text === '{' && addsToSet(tokens, index)) dynamic.push(list.mates.get(index) ?? 0);
    if (token.text !== 'socket' || tokens[index + 1]?.text !== 'cgroupv2') return;
    const part = comparison(list, index, dynamic.length > 0);
    if (part !== undefined) parts.push(part);
  });
  return parts;
}

/** `add @set { … }`, `meter name size 100 { … }`: what stands in such braces is taken from the packet, not compared. */
function addsToSet(tokens: readonly Token[], open: number): boolean {
  if (tokens[open - 1]?.text.startsWith('@')) return /^(?:add|update|delete)$/.test(tokens[open - 2]?.text ?? '');
  return tokens[open - 2]?.text === 'meter' || tokens[open - 4]?.text === 'meter';
}

/** What the cgroup of `socket cgroupv2 level N`, which begins at token `index`, is compared with. */
function comparison(list: TokenList, index: number, dynamic: boolean): Part | undefined {
  const { tokens } = list;
  const socket = tokens[index] as Token;
  const number = tokens[index + 3];
  if (tokens[index + 2]?.text !== 'level' || number?.kind !== 'word') {
    throw new StatementFault(tokens[index + 2]?.start ?? socket.start, `"level N" is missing: ${form}`);
  }
  const level = levelOf(number);
  if (dynamic) return undefined;
  let at = index + 4;
  let behind = 0;
  // In a concatenation other parts follow; how many tells which part of each member is the cgroup.
  while (tokens[at]?.text === '.') {
    behind += 1;
    at += 1;
    while (tokens[at]?.kind === 'word' && !/^(?:\.|@.*|map|vmap|eq|ne)$/.test(tokens[at]?.text ?? '')) at += 1;
  }
  const concatenated = behind > 0 || tokens[index - 1]?.text === '.';
  const sign = tokens[at];
  let negated = false;
  if (sign?.kind === 'sign' || sign?.text === 'eq' || sign?.text === 'ne') {
    if (!/^(?:==|!=|eq|ne)$/.test(sign.text)) {
      throw new StatementFault(sign.start, `a cgroup cannot be compared by "${sign.text}": only by == and !=`);
    }
    negated = sign.text === '!=' || sign.text === 'ne';
    at += 1;
  } else if (/^v?map$/.test(sign?.text ?? '')) at += 1;
  const value = tokens[at];
  if (value?.text.startsWith('@')) return undefined;
  if (value?.text === '{') return setPart(list, at, level, behind);
  if (concatenated) {
    throw new StatementFault(
      value?.start ?? socket.start,
      'a concatenation is compared with a set: put braces around it',
    );
  }
  if (value?.kind !== 'string' && (value?.kind !== 'word' || notPath.has(value.text))) {
    throw new StatementFault(value?.start ?? number.end, `the path of the cgroup is missing: ${form}`);
  }
  return { kind: 'value', negated, reference: referenceAt(value, level) };
}

/** Words that follow where somebody forgot the path. */
const notPath = new Set('accept drop reject jump continue queue counter log limit meta mod'.split(' '));

/** Numbers as nft reads them: decimal, octal after a 0, hexadecimal after 0x. */
function levelOf({ text, start }: Token): number {
  const octal = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
  const level = octal ?? (/^(?:\d+|0x[0-9a-fA-F]+)$/.test(text) ? Number(text) : Number.NaN);
  // net/netfilter/nft_socket.c refuses more than 255.
  if (!(level <= 255)) throw new StatementFault(start, `"${text}" is no level: a whole number up to 255`);
  return level;
}

/** `behind`: how many parts of each member stand behind the cgroup. */
function setPart({ tokens, mates }: TokenList, open: number, level: number, behind: number): Part {
  const close = mates.get(open) ?? tokens.length;
  const start = tokens[open]?.end ?? 0;
  const members = listed(tokens, mates, open + 1, close).map((member) => memberAt(member, level, behind));
  if (members.length === 0) throw new StatementFault(start - 1, 'nothing stands between the braces');
  return { kind: 'set', start, end: tokens[close]?.start ?? start, members };
}

/** The tokens from one index to another, parted at commas that stand in no inner braces. */
function listed(
  tokens: readonly Token[],
  mates: ReadonlyMap<number, number>,
  from: number,
  to: number,
): readonly (readonly Token[])[] {
  const parts: (readonly Token[])[] = [];
  let first = from;
  for (let at = from; at <= to; at = (mates.get(at) ?? at) + 1) {
    if (at < to && tokens[at]?.kind !== 'comma') continue;
    // nft allows a comma after the last one.
    if (at > first) parts.push(tokens.slice(first, at));
    else if (at < to) throw new StatementFault(tokens[at]?.start ?? 0, 'before this comma something is missing');
    first = at + 1;
  }
  return parts;
}

const option = /^(?:timeout|expires|comment|counter|limit|quota|ct|last)$/;

/** `behind`: as for setPart, or all of them. */
function memberAt(tokens: readonly Token[], level: number | undefined, behind: number | 'all'): Member {
  const start = tokens[0]?.start ?? 0;
  const end = tokens.at(-1)?.end ?? start;
  const stop = tokens.findIndex(({ kind, text }) => kind === 'colon' || (kind === 'word' && option.test(text)));
  const key = stop < 0 ? tokens : tokens.slice(0, stop);
  const keyEnd = key.at(-1)?.end ?? start;
  if (key.length === 1 && key[0]?.text === '*') return { start, keyEnd, end, reference: undefined };
  const names: Token[][] = [[]];
  for (const token of key) {
    if (token.text === '.') names.push([]);
    else names.at(-1)?.push(token);
  }
  const [name, ...more] = names.at(behind === 'all' ? 0 : -1 - behind) ?? [];
  if (name === undefined || more.length > 0 || (name.kind !== 'string' && name.kind !== 'word')) {
    throw new StatementFault(start, 'this has no path of a cgroup where the members of its set have one');
  }
  if (behind === 'all' && name.kind === 'word' && names.some(([token]) => token?.kind === 'string')) {
    throw new StatementFault(start, 'the path of the cgroup must come first, and be in quotes if anything is');
  }
  return { start, keyEnd, end, reference: referenceAt(name, level) };
}

function referenceAt({ kind, text, start, end }: Token, level: number | undefined): CgroupReference {
  const path = normalPath(kind === 'string' ? text.slice(1, -1) : text);
  const problem = patternProblem(path);
  if (problem !== undefined) throw new StatementFault(start, problem);
  return { level, path, start, end };
}

/** The path comes first: what the kernel has is compared by the id that each element begins with. */
function elementPart(text: string): SetPart {
  const { tokens, mates } = tokensOf(text);
  const members = listed(tokens, mates, 0, tokens.length).map((member) => memberAt(member, undefined, 'all'));
  if (members.length === 0) throw new StatementFault(0, 'nothing stands between the braces');
  for (const { reference, start } of members) {
    if (reference === undefined)
      throw new StatementFault(start, '"*" names no cgroup: it can stand in the ruleset itself');
  }
  return { kind: 'set', start: 0, end: text.length, members };
}
