/** Rules of units in the comments of a configuration file: `# UNIT :: add rule FAMILY TABLE CHAIN STATEMENT` (pure). */
import type { Diagnostic } from '../core/diagnostic.ts';
import { printable } from '../core/printable.ts';
import { identifierProblem, type NftFamily, nftFamilies } from '../system/nft-script.ts';
import { tokenize } from './nft-tokens.ts';
import type { Piece, Place, UnitStatement } from './rule.ts';
import { readElements, readRuleStatement } from './statement.ts';

/** Characters; a ruleset of this size would take nft minutes. */
export const largestRuleFile = 16 * 1024 * 1024;
export const mostStatements = 50_000;
/** Characters of one statement; room for some hundred paths in a set. What exceeds a netlink message fails in the kernel. */
const longestStatement = 65_536;
/** A file with more mistakes than this is some other file; the rest is only counted. */
const mostProblems = 50;
/** Longer comments are not looked at for what a rule might have been meant to be. */
const longestNearMiss = 1000;

export type ParsedRuleFile =
  | {
      readonly ok: true;
      /** In file order. */
      readonly statements: readonly UnitStatement[];
      /** Comments that look like rules, but are none by the grammar. */
      readonly remarks: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly problems: readonly Diagnostic[] };

/** A text put together from several lines, and where in the file each part stands. */
interface Joined {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

/** The first line of a rule. Indexes within the line. */
interface Head {
  readonly unit: string;
  readonly unitAt: number;
  readonly restAt: number;
}

/** What is wrong with a rule; `at` is an index within its joined text, or the place itself where there is none yet. */
interface Fault {
  readonly at: number | { readonly line: number; readonly column: number };
  readonly message: string;
}

/** `file` is only for the places. `text`: decoded leniently, because other lines are none of our business. Never throws. */
export function parseRuleFile(text: string, file: string): ParsedRuleFile {
  if (text.length > largestRuleFile) {
    return { ok: false, problems: [{ file, message: `larger than ${largestRuleFile} characters` }] };
  }
  const lines = (text.startsWith('\ufeff') ? text.slice(1) : text).split('\n').map(withoutReturn);
  const statements: UnitStatement[] = [];
  const problems: Diagnostic[] = [];
  const remarks: Diagnostic[] = [];
  let more = 0;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const head = headOf(line);
    if (head === undefined) {
      const remark = remarks.length < mostProblems ? nearMiss(line) : undefined;
      if (remark !== undefined) remarks.push({ file, line: index + 1, column: 1, message: remark });
      continue;
    }
    const place = { file, line: index + 1, column: head.unitAt + 1 };
    const { joined, last, fault } = join(lines, index, head.restAt);
    index = last;
    const made = fault ?? statementOf(head.unit, joined, place);
    if (!('message' in made)) {
      statements.push(made);
      if (statements.length <= mostStatements) continue;
      return { ok: false, problems: [{ ...place, message: `more than ${mostStatements} rules` }] };
    }
    const { line: faultLine, column } = typeof made.at === 'number' ? placeAt(joined.pieces, made.at, place) : made.at;
    const message = printable(`rule of ${shown(head.unit)}: ${made.message}`);
    if (problems.length < mostProblems) problems.push({ file, line: faultLine, column, message });
    else more += 1;
  }
  if (more > 0) problems.push({ file, message: `and ${more} more` });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, statements, remarks };
}

/** A file of one line for each statement; parseRuleFile() makes the same statements of it, at other places. */
export function printRuleFile(statements: readonly UnitStatement[]): string {
  return statements.map((statement) => `# ${statement.unit} :: ${commandText(statement)}\n`).join('');
}

function commandText(statement: UnitStatement): string {
  const { family, table } = statement;
  return statement.kind === 'rule'
    ? `add rule ${family} ${table} ${statement.chain} ${statement.statement}`
    : `add element ${family} ${table} ${statement.set} { ${statement.statement} }`;
}

/** Where the character at an index of the statement stands in the file: what nft complains of can be shown there. */
export function statementPlace({ place, pieces }: UnitStatement, index: number): Place {
  return { ...place, ...placeAt(pieces ?? [], index, place) };
}

function placeAt(pieces: readonly Piece[], index: number, otherwise: Place): { line: number; column: number } {
  const piece = pieces.findLast(({ at }) => at <= index);
  if (piece === undefined) return { line: otherwise.line, column: otherwise.column };
  return { line: piece.line, column: piece.column + index - piece.at };
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
const blank = (letter: string | undefined): boolean => letter === ' ' || letter === '\t';

function pastBlanks(text: string, from: number): number {
  let at = from;
  while (blank(text[at])) at += 1;
  return at;
}

function beforeBlanks(text: string): string {
  let end = text.length;
  while (blank(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** Signs `#`, spaces or none, the unit, spaces, `::`, spaces. Read by hand: a pattern could be made to try for minutes. */
function headOf(line: string): Head | undefined {
  const skip = (sign: string, from: number): number => {
    let at = from;
    while (line[at] === sign) at += 1;
    return at;
  };
  const hashes = skip('#', 0);
  if (hashes === 0) return undefined;
  const unitAt = skip(' ', hashes);
  const unitEnd = line.indexOf(' ', unitAt);
  if (unitEnd < 0) return undefined;
  const colons = skip(' ', unitEnd);
  if (!line.startsWith(':: ', colons)) return undefined;
  const unit = line.slice(unitAt, unitEnd);
  const dot = unit.lastIndexOf('.');
  if (dot < 0 || !/^[A-Za-z]+$/.test(unit.slice(dot + 1)) || /\s/.test(unit)) return undefined;
  return { unit, unitAt, restAt: skip(' ', colons + 3) };
}

/** The rule's text from `restAt` of one line on, with the lines that go on after a `\`. `last`: index of the last line taken. */
function join(
  lines: readonly string[],
  first: number,
  restAt: number,
): { joined: Joined; last: number; fault?: Fault } {
  const parts: string[] = [];
  const pieces: Piece[] = [];
  let length = 0;
  let index = first;
  let from = restAt;
  for (;;) {
    const whole = beforeBlanks(lines[index] ?? '');
    const goesOn = (lines[index] ?? '').endsWith('\\');
    const part = beforeBlanks(whole.slice(from, goesOn ? -1 : undefined));
    if (part !== '') {
      if (parts.length > 0) length += 1;
      pieces.push({ at: length, line: index + 1, column: from + 1 });
      parts.push(part);
      length += part.length;
    }
    const next = lines[index + 1];
    const problem = goesOn ? continuationProblem(next) : undefined;
    if (!goesOn || problem !== undefined) {
      const joined = { text: parts.join(' '), pieces };
      if (problem === undefined) return { joined, last: index };
      const at = { line: index + 1, column: (lines[index] ?? '').length };
      const message = `${shown(joined.text)} goes on after "\\", but ${problem}; begin the next line with "# ", or take out the "\\"`;
      return { joined, last: index, fault: { at, message } };
    }
    index += 1;
    from = pastBlanks(next ?? '', 2);
  }
}

function continuationProblem(line: string | undefined): string | undefined {
  if (line === undefined) return 'the file ends there';
  if (!line.startsWith('# ') || pastBlanks(line, 2) === line.length) return `the next line is ${shown(line)}`;
  if (headOf(line) !== undefined) return `the next line begins another rule: ${shown(line)}`;
  return undefined;
}

/** For messages, which pass through printable(); not as JSON, which would double each backslash. */
function shown(text: string): string {
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}

const otherCommands: ReadonlySet<string> = new Set(
  (
    'insert replace delete destroy create flush list reset rename define include ' +
    'rule element table chain set map flowtable counter quota limit ct'
  ).split(' '),
);

function statementOf(unit: string, { text, pieces }: Joined, place: Place): UnitStatement | Fault {
  // What no name of a unit has (systemd's basic/unit-name.c), nor a glob or path: files may be made from what others say.
  const strange = /[^A-Za-z0-9:\-_.\\@*?[\]!^/]/u.exec(unit)?.[0];
  if (strange !== undefined) return { at: place, message: `a unit's name cannot have ${shown(strange)} in it` };
  if (text.length > longestStatement) return { at: 0, message: `longer than ${longestStatement} characters` };
  let at = 0;
  let wordAt = 0;
  const word = (): string => {
    wordAt = pastBlanks(text, at);
    at = wordAt;
    while (at < text.length && !blank(text[at]) && text[at] !== '{') at += 1;
    return text.slice(wordAt, at);
  };
  let kind: UnitStatement['kind'] = 'rule';
  let family = word();
  if (family === 'add') {
    family = word();
    if (family === 'element') kind = 'element';
    if (family === 'element' || family === 'rule') family = word();
  }
  const what = kind === 'rule' ? 'CHAIN' : 'SET';
  const familyAt = wordAt;
  if (otherCommands.has(family)) {
    return { at: wordAt, message: `${shown(family)} is not possible here: only "add rule" and "add element" are` };
  }
  const table = word();
  const tableAt = wordAt;
  const name = word();
  if (name === '') {
    const example = kind === 'rule' ? 'add rule inet filter output' : 'add element inet filter units';
    const message = `FAMILY TABLE ${what} must come before the rule, as in "${example} …", not ${shown(text)}`;
    return { at: familyAt, message };
  }
  if (!isFamily(family)) {
    return {
      at: familyAt,
      message: `${shown(family)} is no family: FAMILY TABLE ${what} begins with ${nftFamilies.join(', ')}`,
    };
  }
  const tableProblem = identifierProblem(table);
  if (tableProblem !== undefined) return { at: tableAt, message: `the table ${shown(table)} ${tableProblem}` };
  const nameProblem = identifierProblem(name);
  if (nameProblem !== undefined)
    return { at: wordAt, message: `the ${what.toLowerCase()} ${shown(name)} ${nameProblem}` };

  const bodyAt = pastBlanks(text, at);
  const body = text.slice(bodyAt);
  const inner = kind === 'rule' ? { text: body, at: 0 } : insideBraces(body);
  if ('message' in inner) return { ...inner, at: inner.at + bodyAt };
  const start = bodyAt + inner.at;
  const read = kind === 'rule' ? readRuleStatement(inner.text) : readElements(inner.text);
  if (!read.ok) return { at: start + read.fault.at, message: read.fault.message };
  // A tab would make `nft -i` complete words. There are none within quotes by now.
  const statement = inner.text.replaceAll('\t', ' ');
  const written = { unit, family, table, statement, cgroups: read.cgroups, place, pieces: piecesFrom(pieces, start) };
  return kind === 'rule' ? { kind, chain: name, ...written } : { kind, set: name, ...written };
}

function isFamily(word: string): word is NftFamily {
  return (nftFamilies as readonly string[]).includes(word);
}

/** What stands between the braces, without white space at its ends, and where it begins. */
function insideBraces(
  body: string,
): { readonly text: string; readonly at: number } | (Fault & { readonly at: number }) {
  const read = tokenize(body);
  if (!read.ok) return read.fault;
  const last = read.tokens.length - 1;
  if (read.tokens[0]?.text !== '{') return { at: 0, message: 'the elements stand in braces: { "PATH" }' };
  if (read.mates.get(0) !== last) {
    const after = read.tokens[(read.mates.get(0) ?? 0) + 1]?.start ?? 0;
    return { at: after, message: 'something follows the closing brace of the elements' };
  }
  const at = pastBlanks(body, 1);
  return { text: beforeBlanks(body.slice(at, read.tokens[last]?.start)), at };
}

/** Of a text that begins at an index of the joined one. */
function piecesFrom(pieces: readonly Piece[], start: number): readonly Piece[] {
  const first = pieces.findLastIndex(({ at }) => at <= start);
  return pieces.slice(Math.max(first, 0)).map(({ at, line, column }) => {
    return at < start ? { at: 0, line, column: column + start - at } : { at: at - start, line, column };
  });
}

/** Says why a comment that was surely meant as a rule is none; the grammar is kept, so that a file means what it always did. */
function nearMiss(line: string): string | undefined {
  if (line.length > longestNearMiss || !line.includes('::') || !line.includes('#')) return undefined;
  const meant =
    /^(\s*)#[#\s]*?([^\s#]\S*?\.[A-Za-z]+)(\s*)::(\s*)(?:add\s|(?:ip|ip6|inet|arp|bridge|netdev)\s+\S+\s)/.exec(line);
  if (meant === null) return undefined;
  const [, before, unit, left, right] = meant;
  const why =
    before !== ''
      ? 'it does not begin at the start of the line'
      : left === '' || right === ''
        ? 'a space is missing beside the "::"'
        : 'it has white space other than spaces before the rule';
  return printable(`a rule of ${shown(unit ?? '')} that is ignored, because ${why}`);
}
