/** A tinydns zone file as blocks of names that follow keys; all its other bytes are left as they are (pure). */
import type { Family } from './address.ts';
import { type Read, readVerifyKey, type VerifyKey } from './keys.ts';
import { type Entry, isBlank, type OptionalKind, readEntry } from './record.ts';

/** Bytes `start` up to but without `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `# dynamic: TIMESTAMP KEY…` and the lines below it, up to a blank line, another comment or the end of the file. */
export interface Block {
  /** The header's first byte. */
  readonly start: number;
  /** Seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly timestampSpan: Span;
  /** Each once, however often the header names it. Those of a block with problems may be incomplete. */
  readonly keys: readonly VerifyKey[];
  /** Ids of keys that the header names more than once. */
  readonly repeatedKeys: readonly string[];
  /** What stands after a `#` in the header, for people. */
  readonly note: string;
  /** The lines below the header. */
  readonly body: Span;
  /** How many records an update of each family reaches. */
  readonly entries: Readonly<Record<Family, number>>;
  /** With any problem the block takes no update: what a broken line meant, nobody knows. */
  readonly usable: boolean;
}

export interface ZoneProblem {
  /** Counts from 1. */
  readonly line: number;
  /** The line of the header of the block that it makes unusable. */
  readonly blockLine: number;
  readonly message: string;
}

export interface Zone {
  readonly bytes: Buffer;
  readonly optional: ReadonlySet<OptionalKind>;
  readonly blocks: readonly Block[];
  /** In the file's order, at most `mostProblems` of them. */
  readonly problems: readonly ZoneProblem[];
  readonly problemCount: number;
}

export interface ZoneOptions {
  /** Record kinds that count as entries besides `+`, `6`, `3` and generic AAAA. */
  readonly optional?: Iterable<OptionalKind>;
  /** How many problems are kept with their words; the rest is only counted. Default 100. */
  readonly mostProblems?: number;
}

/** A problem before its line number is known: numbers are counted once, and only where there is something to say. */
interface Finding {
  readonly at: number;
  readonly blockAt: number;
  readonly message: string;
}

const lineFeed = 0x0a;
const hash = 0x23;
const marker = Buffer.from('dynamic:');

// Python's \s in bytes. JavaScript's \s has U+00A0 in it, which is a byte of a name here.
const header = /^[\t-\r ]*#[\t-\r ]*dynamic:[\t-\r ]*(\d+(?:\.\d+)?)(?=[\t-\r ]|$)/;

/** Of a line's bytes as latin1, without the line feed. */
export function isHeader(line: string): boolean {
  return header.test(line);
}

/** Takes any bytes and never throws. The zone keeps a view of them: they must not change while it is in use. */
export function parseZone(content: Uint8Array, options: ZoneOptions = {}): Zone {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  const optional = new Set(options.optional);
  const findings = new Findings(options.mostProblems ?? 100);
  const blocks: Block[] = [];
  const readKey = memoized(readVerifyKey);
  // Only lines with the word can begin a block; all others outside of blocks are never looked at.
  let from = 0;
  for (;;) {
    const hit = bytes.indexOf(marker, from);
    if (hit < 0) break;
    const start = hit === 0 ? 0 : bytes.lastIndexOf(lineFeed, hit - 1) + 1;
    const block = readBlock(bytes, start, optional, readKey, findings);
    if (block === undefined) from = nextLine(bytes, hit);
    else {
      blocks.push(block);
      from = block.body.end;
    }
  }
  return { bytes, optional, blocks, problems: findings.numbered(bytes), problemCount: findings.count };
}

class Findings {
  readonly #kept: Finding[] = [];
  readonly #most: number;
  count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(at: number, blockAt: number, message: string): void {
    this.count++;
    if (this.#kept.length < this.#most) this.#kept.push({ at, blockAt, message });
  }

  numbered(bytes: Buffer): ZoneProblem[] {
    const lineOf = lineCounter(bytes);
    return this.#kept.map(({ at, blockAt, message }) => {
      const blockLine = lineOf(blockAt);
      return { line: lineOf(at), blockLine, message };
    });
  }
}

/** Line numbers, from 1, of offsets asked for in ascending order (going back a little costs a count from the start). */
export function lineCounter(bytes: Buffer): (offset: number) => number {
  let line = 1;
  let counted = 0;
  let memo = { offset: -1, line: 0 };
  return (offset) => {
    if (offset === memo.offset) return memo.line;
    if (offset < counted) {
      line = 1;
      counted = 0;
    }
    for (; counted < offset; counted++) if (bytes[counted] === lineFeed) line++;
    memo = { offset, line };
    return line;
  };
}

/** Where the line after the one that `at` is in begins; the file's length after the last one. */
function nextLine(bytes: Buffer, at: number): number {
  const feed = bytes.indexOf(lineFeed, at);
  return feed < 0 ? bytes.length : feed + 1;
}

function readBlock(
  bytes: Buffer,
  start: number,
  optional: ReadonlySet<OptionalKind>,
  readKey: typeof readVerifyKey,
  findings: Findings,
): Block | undefined {
  const bodyStart = nextLine(bytes, start);
  const text = bytes.toString('latin1', start, bytes[bodyStart - 1] === lineFeed ? bodyStart - 1 : bodyStart);
  const match = header.exec(text);
  if (match === null) return undefined;
  const found = findings.count;
  const digits = match[1] ?? '';
  const timestamp = Number(digits);
  if (!Number.isFinite(timestamp)) findings.add(start, start, 'the timestamp is too large');
  const keyPart = readKeys(text.slice(match[0].length), readKey, (problem) => findings.add(start, start, problem));
  const entries = { 4: 0, 6: 0 };
  const end = eachLine(bytes, bodyStart, (from, to) => {
    const entry = readEntry(bytes, from, to, optional);
    if (typeof entry === 'string') findings.add(from, start, entry);
    else if (entry !== undefined) entries[entry.family]++;
  });
  const timestampEnd = start + match[0].length;
  return {
    start,
    timestamp,
    timestampSpan: { start: timestampEnd - digits.length, end: timestampEnd },
    ...keyPart,
    body: { start: bodyStart, end },
    entries,
    usable: findings.count === found,
  };
}

/** One key is often in many headers; its hash and its bytes are made once. */
function memoized(read: typeof readVerifyKey): typeof readVerifyKey {
  const made = new Map<string, Read<VerifyKey>>();
  return (text) => {
    const key = made.get(text) ?? read(text);
    made.set(text, key);
    return key;
  };
}

function readKeys(
  text: string,
  readKey: typeof readVerifyKey,
  say: (problem: string) => void,
): Pick<Block, 'keys' | 'repeatedKeys' | 'note'> {
  const noteAt = text.indexOf('#');
  const keys = new Map<string, VerifyKey>();
  const repeated = new Set<string>();
  for (const word of (noteAt < 0 ? text : text.slice(0, noteAt)).split(/[\t-\r ]+/)) {
    if (word === '') continue;
    const key = readKey(word);
    if (key.problem !== undefined) say(`the header names ${key.problem}`);
    else if (keys.has(key.value.id)) repeated.add(key.value.id);
    else keys.set(key.value.id, key.value);
  }
  const note =
    noteAt < 0
      ? ''
      : Buffer.from(text.slice(noteAt + 1), 'latin1')
          .toString('utf8')
          .trim();
  return { keys: [...keys.values()], repeatedKeys: [...repeated], note };
}

/** Gives each line of a block's body without the blanks around it; returns where the body ends. */
function eachLine(bytes: Buffer, start: number, visit: (from: number, to: number) => void): number {
  let at = start;
  while (at < bytes.length) {
    const next = nextLine(bytes, at);
    let from = at;
    let to = next;
    while (from < to && isBlank(bytes[from])) from++;
    while (to > from && isBlank(bytes[to - 1])) to--;
    // An empty line, or any comment: another header too.
    if (from === to || bytes[from] === hash) return at;
    visit(from, to);
    at = next;
  }
  return at;
}

/** The entries of a block in the file's order, read anew: a zone of a million lines holds none of them in memory. */
export function eachEntry(zone: Zone, block: Block, visit: (entry: Entry, lineEnd: number) => void): void {
  eachLine(zone.bytes, block.body.start, (from, to) => {
    const entry = readEntry(zone.bytes, from, to, zone.optional);
    if (entry !== undefined && typeof entry !== 'string') visit(entry, to);
  });
}
