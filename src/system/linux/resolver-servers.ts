/** The Resolver port over named servers, with c-ares: A and AAAA at once, a channel for each request. */
import { Resolver as Channel } from 'node:dns/promises';
import net from 'node:net';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Clock } from '../../core/clock.ts';
import { describeError, errnoOf, NetstewardError } from '../../core/errors.ts';
import type { ResolveOutcome, ResolveRequest, Resolver } from '../ports.ts';
import { inSlot, onAbort } from './http-probe-abort.ts';
import { questionProblem } from './resolver-name.ts';
import { distinct, kindOf, mergeFamilies, unresolved } from './resolver-outcome.ts';

export interface ServerAddress {
  /** IPv4 or IPv6. */
  readonly address: string;
  readonly port: number;
}

export interface ServersResolverOptions {
  readonly clock: Clock;
  /** At least one, tried in this order. */
  readonly servers: readonly ServerAddress[];
  /** Names in flight at a time; 128 by default. */
  readonly concurrency?: number;
}

const tries = 2;

/**
 * A channel for each request costs 60 µs and gives it a source port of its own (a forger off the path has to guess that too,
 * RFC 5452 §9.2), and an end: cancelling a channel cancels all that it asks.
 */
export class ServersResolver implements Resolver {
  readonly #clock: Clock;
  readonly #servers: readonly string[];
  readonly #limit: LimitFunction;

  /** Throws NetstewardError `resolver-server-invalid`. */
  constructor(options: ServersResolverOptions) {
    this.#clock = options.clock;
    this.#servers = options.servers.map(textOf);
    this.#limit = pLimit(options.concurrency ?? 128);
    if (this.#servers.length === 0) throw invalid('no resolver is named');
  }

  /** Waiting for a slot is no part of the request's time-out. */
  resolve(request: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome> {
    if (net.isIP(request.name) !== 0) return Promise.resolve({ ok: true, addresses: [request.name] });
    const problem = questionProblem(request.name);
    if (problem !== undefined) return Promise.resolve(unresolved('invalid-name', problem));
    return inSlot(this.#limit, signal, () => this.#ask(request, signal));
  }

  async #ask(request: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome> {
    // c-ares asks each server once, then each again with twice the time: 3 × servers × timeout in all.
    const share = Math.max(1, Math.floor(request.timeout / (3 * this.#servers.length)));
    const channel = new Channel({ timeout: share, tries });
    channel.setServers(this.#servers);
    let late = false;
    const timer = this.#clock.after(request.timeout, () => {
      late = true;
      channel.cancel();
    });
    const forget = onAbort(signal, () => channel.cancel());
    try {
      const name = request.name.replace(/\.$/, '');
      const [v4, v6] = await Promise.all([
        family(channel.resolve4(name), request, () => late),
        family(channel.resolve6(name), request, () => late),
      ]);
      if (signal.aborted) throw signal.reason;
      return mergeFamilies(v4, v6);
    } finally {
      timer.cancel();
      forget();
    }
  }
}

function textOf({ address, port }: ServerAddress): string {
  const family = net.isIP(address);
  if (family === 0) throw invalid(`the resolver ${JSON.stringify(address)} is not an IP address`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw invalid(`the resolver ${address} has the port ${port}`);
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function invalid(message: string): NetstewardError {
  return new NetstewardError('resolver-server-invalid', message, {
    remedy: 'Name resolvers by address and port: "9.9.9.9:53" or "[2620:fe::fe]:53".',
  });
}

async function family(
  answer: Promise<string[]>,
  request: ResolveRequest,
  late: () => boolean,
): Promise<ResolveOutcome> {
  try {
    return { ok: true, addresses: distinct(await answer) };
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENODATA') return { ok: true, addresses: [] };
    if (late()) return unresolved('timeout', `no answer within ${request.timeout} ms`);
    return unresolved(kindOf(code), describeError(error));
  }
}
