/** Answers of the control socket that come line by line: events, and metrics. */
import { type IncomingMessage, request } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { type Clock, systemClock } from '../core/clock.ts';
import { formatDuration } from '../core/duration.ts';
import { NetstewardError } from '../core/errors.ts';
import { isEventCode, type NetstewardEvent } from '../core/events.ts';
import { badAnswer, controlError } from './control-client.ts';

export interface LinesQuestion {
  readonly socket: string;
  readonly path: string;
  /** Milliseconds until the answer begins. */
  readonly limit: number;
  /** Ends the answer, quietly. */
  readonly signal?: AbortSignal;
}

/** Characters of one line: whoever listens there is not trusted to end its lines. */
const longestLine = 1_000_000;

/**
 * Lines, without their line feeds, as they come. Throws NetstewardError `not-running`, `not-permitted` or `control-failed`,
 * the last also when the answer ends in the middle.
 */
export async function* controlLines(question: LinesQuestion, clock: Clock = systemClock): AsyncGenerator<string> {
  const { socket, signal } = question;
  let begun = false;
  try {
    const response = await begin(question, clock);
    if (response.statusCode !== 200) throw badAnswer(socket, `it answers ${response.statusCode}`);
    begun = true;
    yield* linesOf(response, socket);
  } catch (error) {
    if (signal?.aborted) return;
    if (error instanceof NetstewardError) throw error;
    throw begun ? ended(socket, error) : controlError(socket, error);
  }
}

async function* linesOf(response: IncomingMessage, socket: string): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) throw badAnswer(socket, 'its answer has a line without end');
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function ended(socket: string, cause: unknown): NetstewardError {
  return new NetstewardError('control-failed', `netsteward on ${socket} has ended this answer in the middle`, {
    remedy: 'It was stopped, or this reader was too slow for it: `netsteward status` tells, and then ask again.',
    cause,
  });
}

function begin({ socket, path, limit, signal }: LinesQuestion, clock: Clock): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: socket,
      method: 'GET',
      path,
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    };
    const call = request(options, (response) => {
      timer.cancel();
      resolve(response);
    });
    const timer = clock.after(limit, () => call.destroy(new Error(`no answer within ${formatDuration(limit)}`)));
    call.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
    call.end();
  });
}

export interface EventsQuestion {
  readonly socket: string;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly module?: string;
  readonly subject?: string;
  readonly limit?: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

/** Milliseconds. */
const patience = 10_000;

/** Events, the oldest first. Codes that this version does not know are left out. Throws as controlLines() does. */
export async function* controlEvents(question: EventsQuestion): AsyncGenerator<NetstewardEvent> {
  const { socket, since, module, subject, limit, follow, signal } = question;
  const parameters = new URLSearchParams();
  if (since !== undefined) parameters.set('since', String(Math.max(0, Math.round(since))));
  if (module !== undefined) parameters.set('module', module);
  if (subject !== undefined) parameters.set('subject', subject);
  if (limit !== undefined) parameters.set('limit', String(limit));
  if (follow) parameters.set('follow', '1');
  const path = `/events?${parameters}`;
  for await (const line of controlLines({
    socket,
    path,
    limit: patience,
    ...(signal === undefined ? {} : { signal }),
  })) {
    const event = parseEvent(line);
    if (event === 'broken') throw badAnswer(socket, 'a line of its answer is no event');
    if (event !== undefined) yield event;
  }
}

/** Undefined: of a code that this version does not know. */
function parseEvent(line: string): NetstewardEvent | undefined | 'broken' {
  let value: Partial<Record<keyof NetstewardEvent, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return 'broken';
  }
  if (typeof value !== 'object' || value === null) return 'broken';
  const { at, module, code, subject, fields } = value;
  const texts = [module, code, subject, ...Object.values(fields ?? {})];
  if (typeof at !== 'number' || Math.abs(at) > 8.64e15 || typeof fields !== 'object' || fields === null)
    return 'broken';
  if (!texts.every((text) => typeof text === 'string')) return 'broken';
  return isEventCode(String(code)) ? (value as NetstewardEvent) : undefined;
}
