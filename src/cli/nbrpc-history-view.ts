/** How `netsteward nbrpc history` reads in the terminal (pure). */
import { formatDuration } from '../core/duration.ts';
import { localTime } from './events-view.ts';
import type { HistoryRow, HistoryState, HostHistory } from './nbrpc-history.ts';
import { columns } from './text-columns.ts';

const words: Readonly<Record<HistoryState, string>> = {
  direct: 'direct',
  failing: 'failing',
  tunnelled: 'tunnel',
  down: 'down',
  dropped: 'dropped',
  unknown: 'unknown',
};

/** `source`: where it is from, for people; undefined: of the running daemon. */
export function historyText(history: HostHistory, source?: string): string {
  const { host, rows, totals, flips, since, until } = history;
  const exits = rows.some(({ exit }) => exit !== '');
  const cells = (row: HistoryRow): readonly string[] => [
    localTime(row.since),
    row.until === until ? 'now' : localTime(row.until),
    words[row.state],
    ...(exits ? [row.exit] : []),
    row.state === 'unknown' && row.reason === '' ? 'before the first event' : row.reason,
  ];
  const title = ['since', 'until', 'state', ...(exits ? ['exit'] : []), 'reason'];
  const shares = totals.map(({ state, ms, part }) => `${words[state]} ${percent(part)} (${formatDuration(ms)})`);
  return [
    ...(source === undefined ? [] : [`no netsteward runs: this is what ${source} says`]),
    `${host}, the last ${formatDuration(until - since)}`,
    ...columns([title, ...rows.map(cells)]),
    `in all: ${shares.join(', ')}; ${flips} change${flips === 1 ? '' : 's'} of route`,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** A little is never nothing, and nearly all is never all. */
export function percent(part: number): string {
  const rounded = Math.round(part * 1000) / 10;
  if (part > 0 && rounded === 0) return 'under 0.1 %';
  if (part < 1 && rounded === 100) return 'over 99.9 %';
  return `${rounded} %`;
}
