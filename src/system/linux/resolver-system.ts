/** The Resolver port over getaddrinfo(3): hosts file, nsswitch and all, as other programs of this machine see names. */
import { lookup } from 'node:dns';
import net from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import type { ResolveOutcome, ResolveRequest, Resolver } from '../ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { questionProblem } from './resolver-name.ts';
import { distinct, kindOf, unresolved } from './resolver-outcome.ts';

export type Lookup = (
  name: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly { readonly address: string }[]) => void,
) => void;

export interface SystemResolverOptions {
  readonly clock: Clock;
  /** Lookups at a time; by default as many as libuv runs at once. */
  readonly concurrency?: number;
  /** getaddrinfo itself, but in tests. */
  readonly lookup?: Lookup;
}

const getaddrinfo: Lookup = (name, done) => lookup(name, { all: true, order: 'verbatim' }, done);

/**
 * How many lookups run at once: libuv gives half of its threads, rounded up, to slow work (src/threadpool.c), and has 4 unless
 * UV_THREADPOOL_SIZE says otherwise when the process starts. 300 names at 50 ms need UV_THREADPOOL_SIZE=16 for 2 s and 64 for
 * 0.5 s; a thread that waits costs little, so 64 is a good value for the unit file.
 */
export function lookupsAtOnce(environment: Readonly<Record<string, string | undefined>>): number {
  const asked = Number.parseInt(environment.UV_THREADPOOL_SIZE ?? '', 10);
  // libuv: 0 and junk mean 1, 1024 is the most.
  const threads = environment.UV_THREADPOOL_SIZE === undefined ? 4 : Math.min(1024, Math.max(1, asked || 1));
  return Math.floor((threads + 1) / 2);
}

interface Waiting {
  start(): void;
}

/**
 * A lookup cannot be cancelled and its thread may hang longer than anyone waits (resolv.conf(5): 5 s × 2 × servers): the
 * request's own time-out ends the request, the slot stays taken until the thread comes back. A request that waits for a slot
 * fails once no lookup of any request has finished for as long as its time-out.
 */
export class SystemResolver implements Resolver {
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #slots: number;
  readonly #queue = new Set<Waiting>();
  #running = 0;
  #finishedAt = Number.NEGATIVE_INFINITY;

  constructor(options: SystemResolverOptions) {
    this.#clock = options.clock;
    this.#lookup = options.lookup ?? getaddrinfo;
    this.#slots = options.concurrency ?? lookupsAtOnce(process.env);
  }

  /** An address as name is its own answer. */
  resolve(request: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome> {
    if (net.isIP(request.name) !== 0) return Promise.resolve({ ok: true, addresses: [request.name] });
    const problem = questionProblem(request.name);
    if (problem !== undefined) return Promise.resolve(unresolved('invalid-name', problem));
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      let timer: Timer | undefined;
      const end = (tell: () => void): void => {
        timer?.cancel();
        forget();
        this.#queue.delete(waiting);
        tell();
      };
      const forget = onAbort(signal, () => end(() => reject(signal.reason)));
      const waiting: Waiting = {
        start: () => {
          timer?.cancel();
          timer = this.#clock.after(request.timeout, () =>
            end(() => resolve(unresolved('timeout', `no answer within ${request.timeout} ms`))),
          );
          this.#run(request.name, (outcome) => end(() => resolve(outcome)));
        },
      };
      if (this.#running < this.#slots) return waiting.start();
      this.#queue.add(waiting);
      const arm = (since: number): void => {
        const left = since + request.timeout - this.#clock.monotonic();
        timer = this.#clock.after(Math.max(0, left), () => {
          if (this.#finishedAt > since) return arm(this.#finishedAt);
          end(() => resolve(unresolved('timeout', `the system resolver finished none of ${this.#running} lookups`)));
        });
      };
      arm(this.#clock.monotonic());
    });
  }

  #run(name: string, done: (outcome: ResolveOutcome) => void): void {
    this.#running++;
    this.#lookup(name, (error, addresses) => {
      this.#running--;
      this.#finishedAt = this.#clock.monotonic();
      done(
        error === null
          ? { ok: true, addresses: distinct(addresses.map((each) => each.address)) }
          : unresolved(kindOf(error.code), `getaddrinfo: ${error.code ?? error.message}`),
      );
      const [next] = this.#queue;
      if (next === undefined) return;
      this.#queue.delete(next);
      next.start();
    });
  }
}
