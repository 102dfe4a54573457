/** How `netsteward status` and `dyndns status` show dyndns: names, where they are, who moved them when (pure). */
import { formatDuration } from '../core/duration.ts';
import type { DyndnsDetail } from '../dyndns/index.ts';

/** Names that the status of all modules has room for. */
const mostShown = 20;

/** For `netsteward status`: a few names, with ages. `now`: wall clock, milliseconds. */
export function renderDyndns(detail: DyndnsDetail, now: number): readonly string[] {
  const shown = { ...detail, names: detail.names.slice(0, mostShown) };
  return lines(shown, (at) => `${formatDuration(Math.max(0, now - at))} ago`);
}

/** For `dyndns status`: every name of the picture, with times of day. */
export function dyndnsLines(detail: DyndnsDetail): readonly string[] {
  return lines(detail, (at) => new Date(at).toISOString());
}

/** One line a record, then what became of packets. */
function lines(
  { listening, names, nameCount, packets }: DyndnsDetail,
  timeText: (at: number) => string,
): readonly string[] {
  const width = Math.max(0, ...names.map(({ name }) => name.length));
  const counts = Object.entries(packets).filter(([, count]) => count > 0);
  return [
    ...names.map(({ name, address, keys, heardAt }) => {
      const when = heardAt === undefined ? 'never heard' : `heard ${timeText(heardAt)}`;
      return `${name.padEnd(width)}  ${address}  ${when}  ${keys.join(' ')}`;
    }),
    ...(nameCount > names.length ? [`… and ${nameCount - names.length} more`] : []),
    `on ${listening}: ${counts.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'no packet yet'}`,
  ];
}
