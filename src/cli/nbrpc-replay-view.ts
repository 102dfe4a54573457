/** How `netsteward nbrpc replay` reads in the terminal (pure). */
import { formatDuration } from '../core/duration.ts';
import type { ComparedHost, Comparison } from '../nbrpc/replay-compare.ts';
import type { Tally } from '../nbrpc/route-tally.ts';
import { localTime } from './events-view.ts';
import { columns } from './text-columns.ts';

export function replayText(comparison: Comparison, schedule: string, remarks: readonly string[]): string {
  const { since, until, hosts } = comparison;
  const moved = hosts.filter(({ recorded, other }) =>
    [recorded, other].some((tally) => tally.around > 0 || tally.flips > 0),
  );
  const sum = (of: (host: ComparedHost) => Tally): Tally =>
    moved
      .map(of)
      .reduce((a, b) => ({ around: a.around + b.around, flips: a.flips + b.flips }), { around: 0, flips: 0 });
  const all = { host: 'in all', recorded: sum(({ recorded }) => recorded), other: sum(({ other }) => other) };
  const rest = hosts.length - moved.length;
  const lines = [
    `${localTime(since * 1000)} to ${localTime(until * 1000)} (${formatDuration((until - since) * 1000)}), ${hosts.length} services`,
    ...(moved.length === 0
      ? ['no service went around, nor would have']
      : columns([
          ['service', 'around', 'flips', `with ${schedule}`, 'flips', 'difference'],
          ...[...moved, ...(moved.length > 1 ? [all] : [])].map(row),
        ])),
    ...(moved.length > 0 && rest > 0
      ? [`${rest} other${rest === 1 ? '' : 's'} went direct all the time, either way`]
      : []),
    ...remarks,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function row({ host, recorded, other }: ComparedHost): readonly string[] {
  const longer = other.around - recorded.around;
  const flips = other.flips - recorded.flips;
  const sign = (value: number): string => (value < 0 ? '-' : '+');
  const time = longer === 0 ? 'the same time' : `${sign(longer)}${duration(Math.abs(longer))}`;
  const count = flips === 0 ? '' : `, ${sign(flips)}${Math.abs(flips)} flip${Math.abs(flips) === 1 ? '' : 's'}`;
  return [
    host,
    duration(recorded.around),
    String(recorded.flips),
    duration(other.around),
    String(other.flips),
    `${time}${count}`,
  ];
}

const duration = (seconds: number): string => (seconds === 0 ? 'never' : formatDuration(seconds * 1000));
