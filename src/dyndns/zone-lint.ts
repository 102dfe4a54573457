/** A zone file looked at line by line for `dyndns check`: what follows which key, and what is wrong where (pure). */
import { addressOf, octalOf } from './address.ts';
import { isCurvePoint } from './keys.ts';
import { type EntryKind, isBlank, nameOf } from './record.ts';
import { tinydnsRefusal } from './tinydns-line.ts';
import { type Block, eachEntry, isHeader, lineCounter, type Zone } from './zone-file.ts';

/** `error`: names would be lost or not follow; `warning`: probably not what was meant. */
export interface ZoneFinding {
  /** Counts from 1. */
  readonly line: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

export interface LintOptions {
  /** The zone is for a tinydns with the IPv6 patch, which knows `3` and `6` lines. */
  readonly patchedTinydns?: boolean;
  /** The wall clock, seconds since the Unix epoch; without it, timestamps in the future are not seen. */
  readonly now?: number;
  /** Seconds; default 600. */
  readonly clockWindow?: number;
}

/** Everything wrong with the file, in the order of its lines. The zone must be parsed with all its problems kept. */
export function lintZone(zone: Zone, options: LintOptions = {}): ZoneFinding[] {
  const findings: ZoneFinding[] = zone.problems.map(({ line, blockLine, message }) => {
    const effect = line === blockLine ? 'the block takes no update' : `the block of line ${blockLine} takes no update`;
    return { line, severity: 'error', message: `${message}: ${effect}` };
  });
  const lineOf = lineCounter(zone.bytes);
  for (const block of zone.blocks) findings.push(...lintBlock(zone, block, lineOf, options));
  findings.push(...lintLines(zone, options.patchedTinydns === true));
  return findings.sort((a, b) => a.line - b.line);
}

/** A record that follows the keys of its block. */
export interface ZoneRecord {
  readonly line: number;
  readonly kind: EntryKind;
  readonly name: string;
  /** Dotted quad or RFC 5952 text. */
  readonly address: string;
}

/** The block's header line and its records, for `check` and `status`. */
export function listBlock(zone: Zone, block: Block): { readonly line: number; readonly records: ZoneRecord[] } {
  const lineOf = lineCounter(zone.bytes);
  const line = lineOf(block.start);
  const records: ZoneRecord[] = [];
  eachEntry(zone, block, (entry) => {
    const { kind, value, nameStart } = entry;
    records.push({ line: lineOf(nameStart), kind, name: nameOf(zone.bytes, entry), address: addressOf(value).text });
  });
  return { line, records };
}

function lintBlock(zone: Zone, block: Block, lineOf: (at: number) => number, options: LintOptions): ZoneFinding[] {
  const findings: ZoneFinding[] = [];
  const line = lineOf(block.start);
  const say = (message: string, severity: ZoneFinding['severity'] = 'warning', at = line): void => {
    findings.push({ line: at, severity, message });
  };
  const { now, clockWindow = 600 } = options;
  if (block.usable && block.keys.length === 0) say('the header names no key: nobody can update the block');
  for (const id of block.repeatedKeys) say(`the header names the key ${id} more than once`);
  for (const key of block.keys) {
    if (!isCurvePoint(key)) say(`the key ${key.id} is not a point of the curve: no signature fits it`, 'error');
  }
  if (block.usable && block.entries[4] + block.entries[6] === 0) {
    say('the block has no record that an update could change (an empty line or a comment ends it)');
  }
  if (now !== undefined && block.timestamp > now + clockWindow) {
    say('the timestamp is in the future: only updates from after it count for a key that was not heard of before');
  }
  eachEntry(zone, block, (entry) => {
    if (entry.publishes) return;
    const text = zone.bytes.toString('latin1', entry.addressStart, entry.addressEnd);
    const value = addressOf(entry.value).text;
    say(`tinydns-data does not read ${text} as ${value}: write the four numbers`, 'warning', lineOf(entry.nameStart));
  });
  return findings;
}

const hash = 0x23;
const carriageReturn = 0x0d;

// What an original's header looks like to a person, but not to the program: other case, sign, exponent, no number, text before it.
const nearlyHeader = /^[\t-\r ]*#.*\bdynamic\b[\t ]*:?[\t ]*[-+.\d]|^[\t-\r ]*#[\t-\r ]*dynamic[\t ]*:/i;

function lintLines({ bytes }: Zone, patched: boolean): ZoneFinding[] {
  const findings: ZoneFinding[] = [];
  const say = (line: number, severity: ZoneFinding['severity'], message: string): void => {
    findings.push({ line, severity, message });
  };
  if (bytes.length === 0) say(1, 'warning', 'the file is empty: tinydns-data takes that, and every name is gone');
  const returns = { first: 0, count: 0 };
  let line = 0;
  for (let start = 0; start < bytes.length; ) {
    line++;
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    if (end > start && bytes[end - 1] === carriageReturn) {
      returns.count++;
      if (returns.first === 0) returns.first = line;
    }
    if (isComment(bytes, start, end)) {
      const text = bytes.toString('latin1', start, end);
      if (nearlyHeader.test(text) && !isHeader(text)) {
        say(line, 'warning', 'a comment to every server, although it looks like a header: "# dynamic: TIMESTAMP KEY…"');
      }
    }
    const refusal = tinydnsRefusal(bytes, start, end, patched);
    if (refusal !== undefined) {
      const instead = genericLine(bytes, start, end);
      const remedy = instead === undefined ? '' : `; write ${instead}`;
      say(line, 'error', `tinydns-data refuses this line, and with it the zone: ${refusal}${remedy}`);
    }
    start = end + 1;
  }
  if (returns.count > 0) {
    const effect = 'tinydns-data takes the carriage return as part of the last field';
    say(returns.first, 'warning', `${returns.count} lines end in CR LF: ${effect}`);
  }
  return findings;
}

function isComment(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end && isBlank(bytes[at])) at++;
  return bytes[at] === hash && at < end;
}

/** The same AAAA record as every tinydns knows it; undefined for other lines. */
function genericLine(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('latin1', start, Math.min(end, start + 600)).trim();
  const [, name, hex = '', rest] = /^[36]([\x21-\x39\x3b-\x7e]*):([0-9a-fA-F]{32})(:[\x20-\x7e]*)?$/.exec(text) ?? [];
  return name === undefined ? undefined : `:${name}:28:${octalOf(hex.toLowerCase())}${rest ?? ''}`;
}
