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
/** A list with more mistakes than this is some other file; the rest is only counted. */
const mostProblems = 50;
const longestToken = 4096;

export type ParsedList =
  | {
      readonly ok: true;
      /** By host, in order of first appearance; a later token of the same host has replaced an earlier one. */
      readonly entries: ReadonlyMap<string, ListEntry>;
      /** Tokens that are kept but of no use: an unknown check type. */
      readonly remarks: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly problems: readonly Diagnostic[] };

/** `file` is only for the messages. One bad token makes the whole version bad. */
export function parseCheckList(bytes: Uint8Array, file: string): ParsedList {
  if (bytes.length > largestList) {
    return { ok: false, problems: [{ file, message: `larger than ${largestList} bytes` }] };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, problems: [{ file, message: 'not UTF-8 text' }] };
  }
  const entries = new Map<string, ListEntry>();
  const remarks: Diagnostic[] = [];
  const problems: Diagnostic[] = [];
  let more = 0;
  let line = 0;
  for (const whole of text.split(/\r\n|\n|\r/)) {
    line += 1;
    const hash = whole.indexOf('#');
    for (const match of (hash < 0 ? whole : whole.slice(0, hash)).matchAll(/\S+/g)) {
      const place = { file, line, column: match.index + 1 };
      const token = parseToken(match[0]);
      if (!token.ok) {
        if (problems.length < mostProblems) problems.push({ ...place, message: token.message });
        else more += 1;
        continue;
      }
      const { entry } = token;
      entries.set(entry.host, entry);
      if (entries.size > mostHosts) {
        return { ok: false, problems: [{ ...place, message: `more than ${mostHosts} hosts` }] };
      }
      if (!['https', 'http', 'dns'].includes(entry.check.type) && remarks.length < mostProblems) {
        const message = `${entry.host}: unknown check type ${JSON.stringify(entry.check.type)}, so it is never checked`;
        remarks.push({ ...place, message });
      }
    }
  }
  if (more > 0) problems.push({ file, message: `and ${more} more` });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, entries, remarks };
}

export type ParsedToken =
  | { readonly ok: true; readonly entry: ListEntry }
  | { readonly ok: false; readonly message: string };

/** One token. A colon is looked at first, then `=`, then `>` in what stands left of them. */
export function parseToken(token: string): ParsedToken {
  const bad = (message: string): ParsedToken => {
    const shown = token.length > 80 ? `${token.slice(0, 80)}…` : token;
    return { ok: false, message: printable(`${shown}: ${message}`) };
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
    return bad(`unknown result ${JSON.stringify(spec.result)}: codes such as 200/503, or na`);
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
