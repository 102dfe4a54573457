/** The routes of the status page: what each answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../core/clock.ts';
import { NetstewardError } from '../../core/errors.ts';
import { type Body, bodyOf, jsonBody, sendBody, sendJson, writeHeads } from './answers.ts';
import { latencyOf, latencyWindow, selectLatencies } from './latency.ts';
import { message } from './live.ts';
import { Paced } from './paced.ts';
import type { Past } from './past.ts';
import { wholePatch } from './patch.ts';
import type { Asset, PageControl } from './ports.ts';
import { eventRow, type Present, problemOf } from './present.ts';
import { Refused, type Route, type Site, wholeNumber } from './server.ts';
import type { CheckAnswer, Events, Latency, PageState, Strips } from './shapes.ts';
import { mostDays, noStrips, StripCache } from './strips.ts';
import { Turns } from './turns.ts';

export interface SiteParts {
  readonly clock: Clock;
  readonly present: Present;
  readonly assets: ReadonlyMap<string, Asset>;
  /** Of the configuration in force. */
  readonly past: () => Past;
  readonly control: () => PageControl;
  readonly token: () => string | undefined;
}

const mostHours = 744;
const usualEvents = 100;
const mostEvents = 1000;
/** Milliseconds: events are looked for in the supervisor's own thread. */
const eventsPause = 250;
const longestResolver = 512;
/** A host name of DNS has 253 characters at most (RFC 1035 §2.3.4). */
const longestHost = 253;
const mostBody = 4096;
/** Milliseconds without a question until kept strips go. */
export const forgetAfter = 600_000;

export function makeSite(parts: SiteParts): Site {
  const strips = new StripAnswers(parts);
  const turns = new Turns();
  const files = new Map([...parts.assets].map(([path, asset]) => [path, assetSender(asset)]));
  const routes = new Map<string, Route>([
    ['/api/state', { method: 'GET', parameters: [], answer: stateRoute(parts) }],
    ['/api/strips', { method: 'GET', parameters: ['days'], answer: (...call) => strips.answer(...call) }],
    [
      '/api/latency',
      { method: 'GET', parameters: ['resolver', 'hours'], answer: (...call) => latency(parts, turns, ...call) },
    ],
    ['/api/events', { method: 'GET', parameters: ['limit'], answer: eventsRoute(parts) }],
    ['/api/live', { method: 'GET', parameters: [], answer: (request, response) => live(parts, request, response) }],
    [
      '/api/check',
      { method: 'POST', guarded: true, parameters: [], answer: (request, response) => check(parts, request, response) },
    ],
  ]);
  if (files.size === 0) routes.set('/', { method: 'GET', parameters: [], answer: notBuilt });
  return { routes, asset: (path) => files.get(path), token: parts.token, close: () => strips.forget() };
}

function notBuilt(): never {
  const remedy = 'Build it: npm run build in the checkout; or install netsteward again.';
  throw new Refused(503, 'this netsteward was installed without the files of its status page', remedy);
}

/** Packed when it is first asked for: hardly anybody asks for all. */
function assetSender({ type, bytes }: Asset) {
  let body: Promise<Body> | undefined;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    body ??= bodyOf(type, bytes);
    sendBody(request, response, await body, true);
  };
}

/** Packed once for all who ask within the second in which it counts as the present. */
function stateRoute({ present }: SiteParts): Route['answer'] {
  const bodies = new WeakMap<PageState, Promise<Body>>();
  return async (request, response) => {
    const known = await present.state();
    const body = bodies.get(known) ?? jsonBody(known);
    bodies.set(known, body);
    return sendBody(request, response, await body, false);
  };
}

/** The service is asked for the usual number or for the most: two questions at most go to it at a time, whoever asks for what. */
function eventsRoute({ control, clock }: SiteParts): Route['answer'] {
  const asked = [usualEvents, mostEvents].map((number) => ({
    number,
    newest: new Paced(clock, eventsPause, () => control().events(number)),
  }));
  return async (request, response, parameters) => {
    const limit = wholeNumber(parameters, 'limit', mostEvents, usualEvents);
    const found = await asked.find(({ number }) => limit <= number)?.newest.ask();
    const answer: Events = { events: (found ?? []).slice(-limit).map(eventRow).reverse() };
    return sendJson(request, response, 200, answer);
  };
}

async function latency(
  { clock, past }: SiteParts,
  turns: Turns,
  request: IncomingMessage,
  response: ServerResponse,
  parameters: URLSearchParams,
): Promise<void> {
  const resolver = parameters.get('resolver') ?? '';
  if (resolver === '' || resolver.length > longestResolver) {
    throw new Refused(400, 'the parameter "resolver" is missing, or too long', 'Name one as /api/state does.');
  }
  const window = latencyWindow(resolver, clock.now(), wholeNumber(parameters, 'hours', mostHours, 24));
  const { text, parameters: values } = selectLatencies(window);
  const read = () => past().read((ask) => latencyOf(window, ask(text, values)));
  // A month of some resolvers takes SQLite tenths of a second; who has gone meanwhile gets none.
  const found = await turns.take(() => (response.destroyed ? { problem: '' } : read()));
  const answer: Latency = 'times' in found ? found : { ...latencyOf(window, []), problem: found.problem };
  return sendJson(request, response, 200, answer);
}

async function live({ present }: SiteParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuseMore = (): void => {
    if (!present.watchers.full) return;
    throw new Refused(503, `${present.watchers.count} others watch this page already`, 'Close some of its tabs.');
  };
  refuseMore();
  const first = await present.shared().then(
    (known) => message('state', wholePatch(known)),
    (error: unknown) => message('problem', problemOf(error)),
  );
  refuseMore();
  if (response.destroyed) return;
  writeHeads(response, false);
  response.setHeader('content-type', 'text/event-stream; charset=utf-8');
  response.writeHead(200);
  if (request.method === 'HEAD') response.end();
  else present.watchers.add(response, first);
}

async function check({ control }: SiteParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A form of another site's cannot send this type without asking first (Fetch Standard, "CORS-safelisted request-header").
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new Refused(415, 'the body must be JSON', 'Send content-type: application/json.');
  }
  const { host } = await jsonOf(request);
  if (typeof host !== 'string' || host === '' || host.length > longestHost) {
    throw new Refused(400, 'the body must be {"host": NAME}', 'Name a host as /api/state does.');
  }
  try {
    const answer: CheckAnswer = { text: await control().command('nbrpc', 'check', host) };
    return await sendJson(request, response, 202, answer);
  } catch (error) {
    if (!(error instanceof NetstewardError)) throw error;
    const status = statusOfCode[error.code] ?? 409;
    throw new Refused(status, error.message, error.remedy);
  }
}

const statusOfCode: Readonly<Record<string, number>> = {
  'command-unknown': 501,
  'not-running': 503,
  'control-failed': 503,
  'not-permitted': 503,
};

/** Throws Refused. */
async function jsonOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > mostBody) throw new Refused(413, `the body has more than ${mostBody} bytes`, 'Name one host.');
  }
  try {
    return Object(JSON.parse(Buffer.concat(chunks).toString())) as Record<string, unknown>;
  } catch {
    throw new Refused(400, 'the body is no JSON', 'Send {"host": NAME}.');
  }
}

/** Strips, one question after another: the cache is filled with pauses. */
class StripAnswers {
  readonly #parts: SiteParts;
  #idle: Timer | undefined;
  #cache: { readonly past: Past; readonly generation: number; readonly strips: StripCache } | undefined;
  /** By number of days; with what it was made of. */
  #bodies = new Map<number, { readonly of: string; readonly body: Body }>();
  readonly #turns = new Turns();

  constructor(parts: SiteParts) {
    this.#parts = parts;
  }

  async answer(request: IncomingMessage, response: ServerResponse, parameters: URLSearchParams): Promise<void> {
    const days = wholeNumber(parameters, 'days', mostDays, 30);
    this.#idle?.cancel();
    // Who has gone while others were answered costs nothing more.
    const body = await this.#turns.take(() => (response.destroyed ? undefined : this.#body(days)));
    if (body !== undefined && !response.destroyed) sendBody(request, response, body, false);
    this.#idle?.cancel();
    this.#idle = this.#parts.clock.after(forgetAfter, () => this.forget());
  }

  /** A month of 1000 hosts takes 10 MB, which nobody needs while nobody looks. */
  forget(): void {
    this.#idle?.cancel();
    this.#cache = undefined;
    this.#bodies.clear();
    this.#parts.past().close();
  }

  async #body(days: number): Promise<Body> {
    const now = this.#parts.clock.now();
    const past = this.#parts.past();
    const found = await past.read(async (ask): Promise<Body> => {
      if (this.#cache?.past !== past || this.#cache.generation !== past.generation) {
        this.#cache = { past, generation: past.generation, strips: new StripCache() };
        this.#bodies.clear();
      }
      const { strips } = this.#cache;
      strips.update(ask);
      const of = `${Math.floor(now / 86_400_000)} ${strips.version}`;
      const kept = this.#bodies.get(days);
      if (kept?.of === of) return kept.body;
      const body = await jsonBody(await strips.strips(ask, now, days));
      // Few ask for more than two lengths.
      if (this.#bodies.size >= 3) this.#bodies.clear();
      this.#bodies.set(days, { of, body });
      return body;
    });
    if ('bytes' in found) return found;
    const none: Strips = noStrips(now, days, found.problem);
    return jsonBody(none);
  }
}
