/** The page's line to netsteward: what it asks, and the stream that it follows, taken up again whenever it breaks. */
import type { EventRow, PageProblem, StatePatch } from '../src/supervisor/page/shapes.ts';
import { MessageReader } from './messages.ts';

export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** `at`: when it broke. */
  | { readonly state: 'lost'; readonly at: number; readonly why: string }
  | { readonly state: 'token'; readonly why: string };

export interface Hears {
  readonly onState: (patch: StatePatch) => void;
  readonly onEvent: (event: EventRow) => void;
  /** Netsteward does not answer the page's server; undefined: it does again. */
  readonly onProblem: (problem: PageProblem | undefined) => void;
  readonly onLink: (link: Link) => void;
  /** Sent along with everything; empty: none. */
  readonly token: () => string;
}

export class Refused extends Error {
  readonly status: number;
  constructor(status: number, problem: PageProblem) {
    super(problem.remedy === '' ? problem.error : `${problem.error} ${problem.remedy}`);
    this.status = status;
  }
}

/** The server says something each 20 s. */
const silence = 50_000;
const firstDelay = 500;
const longestDelay = 10_000;

export class Feed {
  readonly #hears: Hears;
  #abort = new AbortController();
  #delay = firstDelay;
  #lostAt: number | undefined;
  #wake: () => void = () => {};

  constructor(hears: Hears) {
    this.#hears = hears;
    // A laptop that wakes, or a network that is back, need not wait for the next try.
    window.addEventListener('online', () => this.#wake());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#wake();
    });
  }

  /** Never settles. */
  async follow(): Promise<never> {
    for (;;) {
      const why = await this.#once().then(
        () => 'netsteward ended the connection',
        (error: unknown) => error,
      );
      if (why instanceof Refused && (why.status === 401 || why.status === 403)) {
        this.#hears.onLink({ state: 'token', why: why.message });
        await this.#pause(24 * 3_600_000);
        continue;
      }
      this.#lostAt ??= Date.now();
      const text = why instanceof Refused ? why.message : 'netsteward does not answer';
      this.#hears.onLink({ state: 'lost', at: this.#lostAt, why: text });
      // Such as that too many watch already: without a pointer nobody reads a title.
      if (why instanceof Refused) this.#hears.onProblem({ error: text, remedy: '' });
      await this.#pause(this.#delay);
      this.#delay = Math.min(longestDelay, this.#delay * 2);
    }
  }

  /** With another token. */
  again(): void {
    this.#delay = firstDelay;
    this.#abort.abort();
    this.#wake();
  }

  /** Rejects with Refused, or as fetch does. */
  async get<Answer>(path: string): Promise<Answer> {
    const answer = await fetch(path, { headers: this.#headers() });
    return (await answered(answer).then((each) => each.json())) as Answer;
  }

  async post<Answer>(path: string, body: unknown): Promise<Answer> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' };
    const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    return (await answered(answer).then((each) => each.json())) as Answer;
  }

  #headers(): Record<string, string> {
    const token = this.#hears.token();
    return token === '' ? {} : { authorization: `Bearer ${token}` };
  }

  async #once(): Promise<void> {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    if (this.#lostAt === undefined) this.#hears.onLink({ state: 'connecting' });
    // Not EventSource: it sends no header, and says nothing about why it was refused.
    const answer = await answered(await fetch('api/live', { headers: this.#headers(), signal, cache: 'no-store' }));
    if (answer.body === null) throw new Error('the stream has no body');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const messages = new MessageReader();
    let timer = setTimeout(() => this.#abort.abort(), silence);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => this.#abort.abort(), silence);
        for (const { name, data } of messages.take(value)) this.#hear(name, data);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #hear(name: string, data: string): void {
    const value: unknown = JSON.parse(data);
    if (name === 'state') {
      this.#delay = firstDelay;
      this.#lostAt = undefined;
      this.#hears.onLink({ state: 'live' });
      this.#hears.onProblem(undefined);
      this.#hears.onState(value as StatePatch);
    } else if (name === 'event') this.#hears.onEvent(value as EventRow);
    else if (name === 'problem') this.#hears.onProblem(value as PageProblem);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function answered(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => ({}))) as Partial<PageProblem>;
  const error = said.error ?? `the answer was ${answer.status} ${answer.statusText}`;
  throw new Refused(answer.status, { error, remedy: said.remedy ?? '' });
}
