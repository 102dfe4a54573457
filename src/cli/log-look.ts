/** One log line for people: on a terminal, and in the journal (pure). */
import type { LogLevel } from '../core/log.ts';
import { printable } from '../core/printable.ts';

/** A parsed line of pino's. */
export interface LogLine {
  readonly level: LogLevel;
  /** ISO 8601. */
  readonly time: string;
  readonly event: string;
  readonly module?: string;
  readonly [field: string]: unknown;
}

// SGR codes of ECMA-48, dim, green, yellow, red.
const colours: Readonly<Record<LogLevel, number>> = { debug: 2, info: 32, warn: 33, error: 31 };
const bold = 1;
const dim = 2;

/** `12:34:56.789 info  nbrpc: example.com now goes through the tunnel …`, in local time. */
export function prettyLine(line: LogLine, colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const time = new Date(line.time);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0'));
  const stamp = `${clock.join(':')}.${String(time.getMilliseconds()).padStart(3, '0')}`;
  const level = line.level.padEnd(5);
  const { head, rest, stack } = describe(line);
  const words = [paint(dim, stamp), paint(colours[line.level], level), paint(bold, head)];
  if (rest !== '') words.push(rest);
  return [words.join(' '), ...stack.map((each) => paint(dim, `    ${each}`))].join('\n');
}

/** What a line of JSON says, without time and level; text that is no log line stays as it is. */
export function logSentence(json: string): string {
  let line: LogLine;
  try {
    line = JSON.parse(json) as LogLine;
  } catch {
    return json;
  }
  const { head, rest } = describe({ ...line, module: '' });
  return rest === '' ? head : `${head} ${rest}`;
}

// Priorities of sd-daemon(3).
const priorities: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** `<6>nbrpc: …`: the journal adds the time. Each line of a stack carries the priority too. */
export function journalLine(line: LogLine): string {
  const { head, rest, stack } = describe(line);
  const prefix = `<${priorities[line.level]}>`;
  const first = rest === '' ? head : `${head} ${rest}`;
  return [first, ...stack.map((each) => `    ${each}`)].map((each) => prefix + each).join('\n');
}

interface Description {
  readonly head: string;
  readonly rest: string;
  readonly stack: readonly string[];
}

function describe(line: LogLine): Description {
  const { level: _level, time: _time, event, module, error, ...fields } = line;
  const from = typeof module === 'string' && module !== '' ? `${printable(module)}: ` : '';
  const sentence = sentences[event]?.(fields);
  const details = error === undefined ? [] : errorText(error, 'reason' in fields);
  const [message = '', ...stack] = details;
  if (sentence !== undefined) return { head: from + printable(sentence), rest: message, stack };
  const rest = [...Object.entries(fields).map(([key, value]) => `${printable(key)}=${fieldText(value)}`), message];
  return { head: from + printable(event), rest: rest.filter((part) => part !== '').join(' '), stack };
}

/** First what the error says (nothing where a `reason` says it already), then its stack. */
function errorText(error: unknown, said: boolean): readonly string[] {
  if (typeof error !== 'object' || error === null) return [`error=${fieldText(error)}`];
  const { message, stack } = error as { message?: unknown; stack?: unknown };
  const lines = typeof stack === 'string' ? stack.split('\n').slice(1) : [];
  return [said ? '' : `error=${fieldText(message)}`, ...lines.map((each) => printable(each.trim()))];
}

function fieldText(value: unknown): string {
  if (typeof value === 'string')
    return /^[\p{L}\p{N}.:/@+_~-]+$/u.test(value) ? value : printable(JSON.stringify(value));
  if (Array.isArray(value)) return value.map(fieldText).join(',');
  return printable(JSON.stringify(value) ?? 'undefined');
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Addresses that a line shows before it only counts the rest. */
const mostAddresses = 4;

function addressList(value: unknown): string {
  const all = Array.isArray(value) ? value.map(text) : [];
  if (all.length === 0) return '';
  const more = all.length > mostAddresses ? ` and ${all.length - mostAddresses} more` : '';
  return `: ${all.slice(0, mostAddresses).join(', ')}${more}`;
}

/** The events that people read most, as sentences; every other event is its name and `key=value`. */
const sentences: Readonly<Record<string, (fields: Record<string, unknown>) => string | undefined>> = {
  starting: ({ version, config }) => `netsteward ${text(version)} starts with ${text(config)}`,
  ready: ({ modules }) => `ready: ${Array.isArray(modules) ? modules.map(text).join(', ') : ''}`,
  flip: ({ host, from, to, exit, reason, addresses }) => {
    const way = exit === undefined ? '' : ` ${text(exit)}`;
    return `${text(host)}: ${text(from)} → ${text(to)}${way} (${text(reason)})${addressList(addresses)}`;
  },
  'warning-raised': ({ text: what, remedy }) => `${text(what)}. ${text(remedy)}`,
  'warning-cleared': ({ text: what }) => `no longer: ${text(what)}`,
};
