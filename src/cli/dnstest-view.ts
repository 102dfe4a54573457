/** How `netsteward status` and `netsteward dnstest status` show resolvers under watch (pure). */
import { formatDuration } from '../core/duration.ts';
import type { DnstestDetail, ResolverEntry, ServeEntry } from '../dnstest/index.ts';

/** Happenings that are shown. */
const mostShown = 8;

export function renderDnstest({ resolvers, history, bounds, serve }: DnstestDetail, now: number): readonly string[] {
  const shown = history.slice(-mostShown);
  return [
    ...(serve === null ? [] : [serveText(serve)]),
    ...resolvers.flatMap((entry) => renderResolver(entry, bounds, now)),
    ...(shown.length === 0 ? [] : ['lately:']),
    ...shown.map(({ at, resolver, kind, text }) => `  ${ago(at, now)} ago ${resolver}: ${kind}: ${text}`),
  ];
}

function serveText({ zones, at, answered, silent }: ServeEntry): string {
  return `serves ${zones.join(', ')} at ${at.join(', ')}: ${answered.udp} answers over UDP, ${answered.tcp} over TCP, ${silent} messages not answered`;
}

function renderResolver(entry: ResolverEntry, bounds: readonly number[], now: number): readonly string[] {
  const { resolver, phase, reason, failingSince, cures, tried, restUntil, switched } = entry;
  const since = failingSince === null ? '' : ` for ${ago(failingSince, now)}`;
  const lines = [
    `${resolver}: ${phase}${since}${reason === null ? '' : `: ${reason}`}`,
    `  ${checksText(entry, bounds)}`,
  ];
  if (cures.length > 0) {
    const rest = restUntil === null || restUntil <= now ? '' : `; at rest for ${formatDuration(restUntil - now)}`;
    const names = cures.map((name, index) => `${name}${index < tried ? ' (tried)' : ''}`);
    lines.push(`  cures: ${names.join(', ')}${rest}`);
  }
  if (switched.length > 0) lines.push(`  leads to a fallback: ${switched.join(', ')}`);
  return lines;
}

function checksText({ checks, histogram, failures, latency }: ResolverEntry, bounds: readonly number[]): string {
  const right = histogram.reduce((sum, count) => sum + count, 0);
  const failed = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`);
  const parts = [`${checks} check${checks === 1 ? '' : 's'}`, `${right} right`, ...failed];
  if (latency !== null) parts.push(`last ${latency} ms`);
  for (const [name, share] of [
    ['median', 0.5],
    ['p99', 0.99],
  ] as const) {
    if (right > 0) parts.push(`${name} ${withinText(histogram, bounds, share * right)}`);
  }
  return parts.join(', ');
}

/** The bucket that has the answer of this rank, counted from the quickest. */
function withinText(histogram: readonly number[], bounds: readonly number[], rank: number): string {
  let seen = 0;
  const bucket = histogram.findIndex((count) => {
    seen += count;
    return seen >= rank;
  });
  const bound = bounds[bucket];
  return bound === undefined ? `over ${bounds.at(-1)} ms` : `within ${bound} ms`;
}

const ago = (at: number, now: number): string => formatDuration(Math.max(0, now - at));
