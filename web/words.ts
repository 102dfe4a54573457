/** How the page says times, amounts, states and kinds of reasons (pure, but for the reader's time zone). */
import type { ServiceRow, StripState } from '../src/supervisor/page/shapes.ts';

/** At which step a service fails, as far as the reason tells. */
export type Kind = 'name' | 'connect' | 'tls' | 'http' | 'data' | 'other';

export const kindWords: Readonly<Record<Kind, string>> = {
  name: 'name',
  connect: 'connect',
  tls: 'TLS',
  http: 'HTTP',
  data: 'data transfer',
  other: 'other reason',
};

/** Stands in a strip beside the hue. */
export const kindLetters: Readonly<Record<Kind, string>> = {
  name: 'N',
  connect: 'C',
  tls: 'T',
  http: 'H',
  data: 'D',
  other: '',
};

/** nbrpc says it first where it has looked closer: `TLS: no answer to the ClientHello` (src/nbrpc/reason-text.ts). */
const heads: Readonly<Record<string, Kind>> = {
  name: 'name',
  connect: 'connect',
  TLS: 'tls',
  HTTP: 'http',
  transfer: 'data',
};

// What a check alone says: `timeout on connect`, `tls reset`, `status 403, expected 200`, `body timeout`.
const signs: readonly (readonly [Kind, RegExp])[] = [
  ['data', /\bbody\b|\bfrozen\b|\bthrottled\b|\btransfer\b|\bafter [\d.]+ ?(?:bytes|kB)/i],
  ['http', /\bstatus \d|\bhttp\b|\bredirect/i],
  ['tls', /\btls\b|\bcertificate\b|\bhandshake\b/i],
  ['connect', /\bconnect(?:ion)?\b|\brefused\b|\bunreachable\b/i],
  ['name', /\bnxdomain\b|\bservfail\b|\bresolves?\b|\bDNS\b|\bforeign answer\b|\bjunk answer\b/i],
];

export function kindOf(reason: string): Kind {
  const head = /^\w+(?=:)/.exec(reason)?.[0] ?? '';
  if (Object.hasOwn(heads, head)) return heads[head] ?? 'other';
  return signs.find(([, sign]) => sign.test(reason))?.[0] ?? 'other';
}

/** How it fails, where nbrpc knows that, else what the check said. */
export const whyOf = ({ reason, cause }: Pick<ServiceRow, 'reason' | 'cause'>): string =>
  cause === undefined || cause === null ? reason : cause.text;

export const stateWords: Readonly<Record<StripState, string>> = {
  direct: 'direct',
  failing: 'failing',
  tunnelled: 'tunnelled',
  down: 'down',
  unknown: 'unknown',
  dropped: 'dropped',
};

/** One character for each state: what a hue alone must not say. */
export const stateGlyphs: Readonly<Record<StripState, string>> = {
  direct: '✓',
  failing: '!',
  tunnelled: '↷',
  down: '×',
  unknown: '?',
  dropped: '⊘',
};

/** The state of now, in the words of the strips. */
export function stateOf({ standing, state }: Pick<ServiceRow, 'standing' | 'state'>): StripState {
  if (standing === 'dropped') return 'dropped';
  if (standing === 'rerouted') return 'tunnelled';
  if (standing === 'failing') return state === 'unstable' ? 'down' : 'failing';
  return standing === 'ok' ? 'direct' : 'unknown';
}

/** The same for people, where more is known than a strip says. */
export function standingWord(row: Pick<ServiceRow, 'standing' | 'state'>): string {
  if (row.standing === 'unresolved') return 'no address';
  if (row.standing === 'unchecked') return 'unchecked';
  if (row.standing === 'waiting') return 'waiting';
  return stateWords[stateOf(row)];
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** `2 d 3 h`, `3 h 20 min`, `12 min`, `8 s`. */
export function span(ms: number): string {
  const two = (big: number, bigWord: string, small: number, smallWord: string): string =>
    small === 0 ? `${big} ${bigWord}` : `${big} ${bigWord} ${small} ${smallWord}`;
  if (ms >= day) return two(Math.floor(ms / day), 'd', Math.floor((ms % day) / hour), 'h');
  if (ms >= hour) return two(Math.floor(ms / hour), 'h', Math.floor((ms % hour) / minute), 'min');
  return ms >= minute ? `${Math.floor(ms / minute)} min` : `${Math.max(0, Math.floor(ms / 1000))} s`;
}

/** `0.4 s`, `42 s`, `1 min 42 s`, `1 h 5 min`: of what was measured in seconds. */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60 || whole >= 3600) return span(whole * 1000);
  return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const clockForm = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const timeForm = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dateForm = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
const dayForm = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const clockTime = (at: number): string => clockForm.format(at);
export const dayMonth = (at: number): string => dayForm.format(at);

/** `Tue 3 Nov 12:10` */
export const dateTime = (at: number): string => `${dateForm.format(at).replace(',', '')} ${timeForm.format(at)}`;

/** `Tue 3 Nov 12:10 – 14:20`: the day is said again where it is another. */
export function period(from: number, to: number): string {
  const sameDay = dateForm.format(from) === dateForm.format(to);
  return `${dateTime(from)} – ${sameDay ? timeForm.format(to) : dateTime(to)}`;
}

/** `12 min ago`; what the clocks of two machines put into the future is now. */
export const ago = (at: number | null, now: number): string => {
  if (at === null) return '';
  return now - at < 5000 ? 'just now' : `${span(now - at)} ago`;
};

export const inSpan = (at: number | null, now: number): string =>
  at === null ? '' : at <= now ? 'now' : `in ${span(at - now)}`;

/** Lines of a time axis: midnights of the reader's, or hours, or tens of minutes, as long as it is. */
export function marks(begin: number, end: number): readonly { readonly at: number; readonly text: string }[] {
  const found: { at: number; text: string }[] = [];
  const hours = (end - begin) / hour;
  const at = new Date(begin);
  if (hours <= 2) {
    at.setMinutes(Math.ceil((at.getMinutes() + 1) / 10) * 10, 0, 0);
    for (; at.getTime() < end; at.setMinutes(at.getMinutes() + 10))
      found.push({ at: at.getTime(), text: timeForm.format(at) });
  } else if (hours <= 30) {
    at.setHours(Math.ceil((at.getHours() + 1) / 3) * 3, 0, 0, 0);
    for (; at.getTime() < end; at.setHours(at.getHours() + 3))
      found.push({ at: at.getTime(), text: timeForm.format(at) });
  } else {
    at.setHours(24, 0, 0, 0);
    for (; at.getTime() < end; at.setDate(at.getDate() + 1)) found.push({ at: at.getTime(), text: dayForm.format(at) });
  }
  return found;
}

const numberForm = new Intl.NumberFormat('en-GB');
export const count = (value: number): string => numberForm.format(value);

/** `1 service`, `3 services` */
export const some = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : more}`;

/** Powers of 1000, as the counters of nft are read. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power]}`;
}

export function milliseconds(value: number): string {
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`;
}

/** `timeout 12, servfail 3`: what happened most often comes first. */
export function kinds(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => `${name} ${count(value)}`)
    .join(', ');
}
