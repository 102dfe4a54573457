/** GET /events of the control socket: events as JSON, one a line; with `follow=1` those to come too, for as long as they are read. */
import type { ServerResponse } from 'node:http';
import type { NetstewardEvent } from '../core/events.ts';
import type { EventQuery } from './history-query.ts';

export interface EventsTarget {
  /** The newest that match, the oldest of them first. */
  events(query: EventQuery): readonly NetstewardEvent[];
  /** Calls `follow` for each event to come, until the given function is called. */
  follow(follow: (event: NetstewardEvent) => void): () => void;
}

export interface EventsRequest extends EventQuery {
  readonly follow: boolean;
}

const defaultLimit = 1000;
/** Of one answer: what is asked for and not read waits in memory. */
export const mostEvents = 10_000;
/** Connections that follow at a time: the socket has room for others beside them. */
export const mostFollowers = 16;
/** Bytes that may wait for a follower, beside what it asked for at first. Who reads slower than that is dropped. */
export const mostBehind = 1_000_000;

const followers = new WeakMap<EventsTarget, number>();

/** Takes the response over; or says what stands against it, and then the response is still the caller's. */
export function sendEvents(
  target: EventsTarget,
  query: string,
  response: ServerResponse,
): { readonly status: number; readonly text: string } | undefined {
  const request = parseEventsQuery(query);
  if ('problem' in request) return { status: 400, text: request.problem };
  const count = followers.get(target) ?? 0;
  if (request.follow && count >= mostFollowers) return { status: 503, text: `${count} others follow already` };
  response.writeHead(200, {
    'content-type': 'application/jsonl; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
  });
  const backlog = target.events(request).map(line).join('');
  if (!request.follow) {
    response.end(backlog);
    return undefined;
  }
  // Between the question above and this there is no turn of the event loop: none is missed, and none comes twice.
  const allowed = Buffer.byteLength(backlog) + mostBehind;
  const stop = target.follow((event) => {
    if (!isWanted(request, event)) return;
    response.write(line(event));
    if (response.writableLength > allowed) response.destroy();
  });
  followers.set(target, count + 1);
  response.on('close', () => {
    stop();
    followers.set(target, (followers.get(target) ?? 1) - 1);
  });
  response.flushHeaders();
  if (backlog !== '') response.write(backlog);
  return undefined;
}

const line = (event: NetstewardEvent): string => `${JSON.stringify(event)}\n`;

function isWanted({ module, subject }: EventQuery, event: NetstewardEvent): boolean {
  return (module === undefined || module === event.module) && (subject === undefined || subject === event.subject);
}

/** `since` and `until` in milliseconds since the epoch, `module`, `subject`, `limit`, `follow=1`; each at most once. */
export function parseEventsQuery(text: string): EventsRequest | { readonly problem: string } {
  const known = ['since', 'until', 'module', 'subject', 'limit', 'follow'];
  const parameters = new URLSearchParams(text);
  const names = [...parameters.keys()];
  const odd = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
  if (odd !== undefined) return { problem: `${odd}: there are ${known.join(', ')}, each once` };
  const numbers: { since?: number; until?: number; limit?: number } = {};
  for (const name of ['since', 'until', 'limit'] as const) {
    const value = parameters.get(name);
    if (value === null) continue;
    if (!/^\d{1,15}$/.test(value)) return { problem: `${name}: must be a whole number` };
    numbers[name] = Number(value);
  }
  const [module, subject, follow] = ['module', 'subject', 'follow'].map((name) => parameters.get(name) ?? undefined);
  if (follow !== undefined && follow !== '1') return { problem: 'follow: must be 1' };
  return {
    ...numbers,
    ...(module === undefined ? {} : { module }),
    ...(subject === undefined ? {} : { subject }),
    limit: Math.min(numbers.limit ?? defaultLimit, mostEvents),
    follow: follow !== undefined,
  };
}
