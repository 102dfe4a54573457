/** In which order services stand, and which of them a filter's words mean (pure). */
import type { ServiceRow, StripState } from '../src/supervisor/page/shapes.ts';
import type { HistoryOfHosts } from './history.ts';
import { kindOf, kindWords, standingWord, stateOf, stateWords, whyOf } from './words.ts';

export interface Service {
  readonly host: string;
  /** Undefined: the state does not have it one by one; its strip says how it was last. */
  readonly row: ServiceRow | undefined;
}

export type Order = 'trouble' | 'name' | 'changed';

export interface Shown {
  readonly state: StripState;
  readonly word: string;
  readonly reason: string;
  /** Through which exit it goes; empty where there is but one, or it goes direct. */
  readonly exit: string;
}

function exitText({ exit }: ServiceRow): string {
  if (exit === null || exit === undefined) return '';
  return exit === '' ? 'no exit works' : `via ${exit}`;
}

/** What a row of the list says. */
export function shownState({ host, row }: Service, history: HistoryOfHosts | undefined, now: number): Shown {
  if (row !== undefined)
    return { state: stateOf(row), word: standingWord(row), reason: whyOf(row), exit: exitText(row) };
  const last = history?.last(host, now);
  const state = last?.state ?? 'unknown';
  return { state, word: stateWords[state], reason: last?.reason ?? '', exit: '' };
}

function stateShown({ host, row }: Service, history: HistoryOfHosts | undefined, now: number): StripState {
  return row === undefined ? (history?.last(host, now)?.state ?? 'unknown') : stateOf(row);
}

const ranks: readonly StripState[] = ['dropped', 'down', 'failing', 'tunnelled', 'unknown', 'direct'];

/** `trouble`: what is wrong comes first, and by name among equals. What is in order already costs little. */
export function placed(
  services: readonly Service[],
  order: Order,
  history: HistoryOfHosts | undefined,
  now: number,
): readonly Service[] {
  const key = (service: Service): number => {
    if (order === 'name') return 0;
    if (order === 'changed') return -(service.row?.since ?? history?.last(service.host, now)?.from ?? 0);
    return ranks.indexOf(stateShown(service, history, now));
  };
  return services
    .map((service) => ({ service, rank: key(service) }))
    .sort((a, b) => a.rank - b.rank || (a.service.host < b.service.host ? -1 : 1))
    .map(({ service }) => service);
}

/** `words`: lower case; each of them must be somewhere in the name, the state or the reason. */
export function matches(service: Service, words: string, history: HistoryOfHosts | undefined, now: number): boolean {
  const { state, word, reason, exit } = shownState(service, history, now);
  const kind = state === 'failing' || state === 'tunnelled' ? kindWords[kindOf(reason)] : '';
  const addresses = service.row?.addresses.map(({ address }) => address).join(' ') ?? '';
  const text = `${service.host} ${word} ${stateWords[state]} ${reason} ${kind} ${exit} ${addresses}`.toLowerCase();
  return words.split(/\s+/).every((each) => text.includes(each));
}
