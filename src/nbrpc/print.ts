/** The state as `nbrpc -P` prints it (pure). */
import { familyOf } from './address.ts';
import type { AddressRecord, HostState } from './model.ts';
import { compareText, newestSeen } from './policy.ts';
import type { HostEntry, StateView } from './state.ts';

const stateWords: Readonly<Record<HostState, string>> = {
  ok: 'OK',
  na: 'blocked',
  failing: '-failing-',
  unstable: '/unstable/',
};

export interface PrintSettings {
  /** Seconds since the epoch to `YYYY-MM-DD.HH:MM`. */
  readonly time: (seconds: number) => string;
  /** Longer lines are cut. */
  readonly width: number;
}

/** Ends with a blank line, which is all there is of an empty state. */
export function printState(state: StateView, { time, width }: PrintSettings): string {
  const lines: string[] = [];
  for (const entry of hostsByDomain(state)) {
    const { name, check, state: word, changed } = entry.record;
    lines.push('', `${name} [${check.type} ${word === null ? '???' : stateWords[word]} @ ${time(changed)}]:`);
    const newest = newestSeen(entry.addresses.values());
    for (const address of addressesByUse(entry)) {
      const mark = address.seen === newest ? '*' : ' ';
      lines.push(` ${mark}${address.address} :: [${time(address.changed)}] ${addressText(address)}`);
    }
  }
  lines.push('');
  return lines.map((line) => `${cut(line, width)}\n`).join('');
}

function addressText({ state, reason }: AddressRecord): string {
  if (state === null) return '???';
  return state === 'na' && reason !== '' ? reason : state;
}

/** `width` in characters: a name is ASCII, but the reason of a failure may be any text. */
function cut(line: string, width: number): string {
  if (line.length <= width) return line;
  const characters = Array.from(line);
  return characters.length <= width ? line : `${characters.slice(0, Math.max(0, width - 3)).join('')}...`;
}

/** Hosts that have addresses, by their reversed names: those of one domain stand together. */
export function hostsByDomain(state: StateView): readonly HostEntry[] {
  return [...state.hosts()]
    .filter((entry) => entry.addresses.size > 0)
    .map((entry) => ({ entry, key: entry.record.name.split('').reverse().join('') }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ entry }) => entry);
}

/** Those of the newest DNS answer first, IPv4 before IPv6, then in string order. */
export function addressesByUse({ addresses }: HostEntry): readonly AddressRecord[] {
  const newest = newestSeen(addresses.values());
  const rank = (address: AddressRecord): number =>
    (address.seen === newest ? 0 : 10) + (familyOf(address.address) === 4 ? 0 : 1);
  return [...addresses.values()].sort((a, b) => rank(a) - rank(b) || compareText(a.address, b.address));
}

/** Throws a RangeError for a zone that does not exist; absent: the machine's zone, or that of $TZ. */
export function timeFormat(zone: string | undefined): (seconds: number) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(zone === undefined ? {} : { timeZone: zone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (seconds) => {
    const part = Object.fromEntries(format.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]));
    return `${part.year?.padStart(4, '0')}-${part.month}-${part.day}.${part.hour}:${part.minute}`;
  };
}
