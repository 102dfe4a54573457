/** The check-list file: white-space separated tokens `host[>policy][:check][=result]`, comments from `#` on (pure). */
import type { Diagnostic } from '../core/diagnostic.ts';
import { printable } from '../core/printable.ts';
import { parseCodes } from './expectation.ts';
import { hostNameProblem } from './host-name.ts';
import type { CheckSpec, ListEntry } from './model.ts';
import { parsePolicy } from './policy-spec.ts';

/** Bytes; far beyond any list that a person keeps, and small enough to be read between two passes. */
export const largestList = 16 * 1024 * 1024;
/** Hosts of one list: each keeps its addresses in memory and in the state file. */
export const mostHosts = 50_000;
/** Tokens of one list, repeated hosts too. */
export const mostTokens = 4 * mostHosts;
/** Mistakes that are told; the rest is only counted. */
const mostProblems = 50;
/** A list with more mistakes than this is some other file, and is read no further. */
const mostCounted = 1000;
const longestToken = 4096;

export type ParsedList =
  | {
      readonly ok: true;
      /** By host, in order of first appearance; a later token of the same host has replaced an earlier one. */
      readonly entries: ReadonlyMap<string, ListEntry>;
      /** Tokens that are kept but of no use: an unknown check type. */
      readonly remarks: readonly Diagnostic[];
    }
  | BadList;

interface BadList {
  readonly ok: false;
  /** The first ones; the last may say how many more there are. */
  readonly problems: readonly Diagnostic[];
  readonly count: number;
}

/** `file` is only for the messages. One bad token makes the whole version bad. */
export function parseCheckList(bytes: Uint8Array, file: string): ParsedList {
  if (bytes.length > largestList) return bad({ file, message: `larger than ${largestList} bytes` });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bad({ file, message: 'not UTF-8 text' });
  }
  const entries = new Map<string, ListEntry>();
  const remarks = new Told(file);
  const problems = new Told(file);
  let tokens = 0;
  for (const { token, line, column } of tokensOf(text)) {
    const place = { file, line, column };
    tokens += 1;
    if (tokens > mostTokens) return bad({ ...place, message: `more than ${mostTokens} words` });
    const parsed = parseToken(token);
    if (!parsed.ok) {
      problems.add({ ...place, message: parsed.message });
      if (problems.count >= mostCounted) break;
      continue;
    }
    const { entry } = parsed;
    entries.set(entry.host, entry);
    if (entries.size > mostHosts) return bad({ ...place, message: `more than ${mostHosts} hosts` });
    if (['https', 'http', 'dns'].includes(entry.check.type)) continue;
    const type = shortened(JSON.stringify(entry.check.type));
    remarks.add({ ...place, message: `${entry.host}: unknown check type ${type}, so it is never checked` });
  }
  if (problems.count > 0) return { ok: false, problems: problems.list(), count: problems.count };
  return { ok: true, entries, remarks: remarks.list() };
}

function bad(problem: Diagnostic): BadList {
  return { ok: false, problems: [problem], count: 1 };
}

/** `and 7 more`, of so many mistakes. */
export function andMore(count: number, told: number): string {
  return `and ${count >= mostCounted ? 'at least ' : ''}${count - told} more`;
}

/** The first of many messages, and how many there are. */
class Told {
  readonly #file: string;
  readonly #first: Diagnostic[] = [];
  count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  add(diagnostic: Diagnostic): void {
    this.count += 1;
    if (this.#first.length < mostProblems) this.#first.push(diagnostic);
  }

  list(): readonly Diagnostic[] {
    const told = this.#first.length;
    if (told === this.count) return this.#first;
    return [...this.#first, { file: this.#file, message: andMore(this.count, told) }];
  }
}

export interface PlacedToken {
  readonly token: string;
  readonly line: number;
  readonly column: number;
}

/** Splits at white space, leaving out what is behind `#`. In one go: a file of line ends alone must not take seconds. */
export function* tokensOf(text: string): Iterable<PlacedToken> {
  let line = 1;
  let lineStart = 0;
  for (const match of text.matchAll(/([\r\n]+)|#[^\r\n]*|[^\s#]+/g)) {
    const [found, lineEnds] = match;
    if (lineEnds !== undefined) {
      line += lineEnds.replaceAll('\r\n', '\n').length;
      lineStart = match.index + lineEnds.length;
    } else if (!found.startsWith('#')) yield { token: found, line, column: match.index - lineStart + 1 };
  }
}

function shortened(text: string, most = 80): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

export type ParsedToken =
  | { readonly ok: true; readonly entry: ListEntry }
  | { readonly ok: false; readonly message: string };

/** One token. A colon is looked at first, then `=`, then `>` in what stands left of them. */
export function parseToken(token: string): ParsedToken {
  const bad = (message: string): ParsedToken => {
    return { ok: false, message: printable(`${shortened(token)}: ${shortened(message, 300)}`) };
  };
  if (token.length > longestToken) return bad(`longer than ${longestToken} characters`);
  if (printable(token) !== token) return bad('it has a control character');

  const colon = token.indexOf(':');
  const equals = token.indexOf('=');
  let left = token;
  let check = 'https';
  if (colon >= 0) {
    left = token.slice(0, colon);
    check = token.slice(colon + 1);
  } else if (equals >= 0) {
    left = token.slice(0, equals);
    check = `https=${token.slice(equals + 1)}`;
  }
  const arrow = left.indexOf('>');
  const host = arrow < 0 ? left : left.slice(0, arrow);
  const policy = arrow < 0 ? '' : left.slice(arrow + 1);

  const nameProblem = hostNameProblem(host);
  if (nameProblem !== undefined) return bad(nameProblem);
  if (policy !== '') {
    const parsed = parsePolicy(policy);
    if (!parsed.ok) return bad(parsed.message);
  }
  const spec = parseCheck(check);
  if (['https', 'http', 'dns'].includes(spec.type) && spec.result !== 'na' && parseCodes(spec.result) === undefined) {
    return bad(`unknown result ${shortened(JSON.stringify(spec.result))}: codes such as 200/503, or na`);
  }
  return { ok: true, entry: { host, check: spec, policy } };
}

/** `https/x?k==v=404`: type, path and result; `==` is a literal `=` in the path. */
function parseCheck(text: string): CheckSpec {
  // A token has no white space, so a blank can stand for the escaped sign.
  const masked = text.replaceAll('==', ' ');
  const equals = masked.indexOf('=');
  const kind = (equals < 0 ? masked : masked.slice(0, equals)).replaceAll(' ', '=');
  const result = equals < 0 ? '' : masked.slice(equals + 1).replaceAll(' ', '==');
  const http = /^(https?)(\/.*)?$/s.exec(kind);
  if (http?.[1] === undefined) return { type: kind, path: '/', result };
  return { type: http[1], path: http[2] ?? '/', result };
}
