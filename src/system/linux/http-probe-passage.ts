/** One probe on its way: a socket, a connect, a handshake and its answer, each when it has a slot. */
import type net from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import type { ProbeOutcome, ProbeRequest } from '../ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { exchange } from './http-probe-exchange.ts';
import { localFailure } from './http-probe-failure.ts';
import type { Slots, Waiter } from './http-probe-slots.ts';
import type { TcpOutcome, TcpStage } from './tcp-stage.ts';
import type { TrustStore } from './trust-store.ts';

/** What all probes share. */
export interface Stages {
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly tcp: TcpStage;
  readonly ports: { readonly http: number; readonly https: number };
  readonly sockets: Slots;
  readonly connects: Slots;
  readonly handshakes: Slots;
}

// A censor that swallows packets must not hold a slot for a whole time-out: 64 addresses that swallow the TLS hello would stop
// everything, 1000 that swallow the SYN would.
const patience = 250;

/** Rejects only with the signal's reason. */
export function passThrough(stages: Stages, request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else stages.sockets.take(new Passage(stages, request, signal, resolve, reject));
  });
}

// No chain of promises: with 3000 probes in line their closures would take more memory than the sockets.
class Passage implements Waiter {
  readonly #stages: Stages;
  readonly #request: ProbeRequest;
  readonly #signal: AbortSignal;
  readonly #resolve: (outcome: ProbeOutcome) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #forget: () => void;
  #next: 'socket' | 'connect' | 'handshake' = 'socket';
  /** Those that it has to leave. */
  readonly #held: Slots[] = [];
  #patience: Timer | undefined;
  /** Connected, before its handshake. */
  #socket: net.Socket | undefined;
  #settled = false;

  constructor(
    stages: Stages,
    request: ProbeRequest,
    signal: AbortSignal,
    resolve: (outcome: ProbeOutcome) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#stages = stages;
    this.#request = request;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#forget = onAbort(signal, () => this.#fail(signal.reason));
  }

  turn(): boolean {
    if (this.#settled || this.#signal.aborted) return false;
    switch (this.#next) {
      case 'socket':
        this.#held.push(this.#stages.sockets);
        this.#next = 'connect';
        this.#stages.connects.take(this);
        break;
      case 'connect':
        this.#held.push(this.#stages.connects);
        this.#leaveLate(this.#stages.connects);
        this.#connect().then(
          (outcome) => this.#connected(outcome),
          (error: unknown) => this.#fail(error),
        );
        break;
      case 'handshake':
        this.#held.push(this.#stages.handshakes);
        this.#leaveLate(this.#stages.handshakes);
        this.#talk().then(
          (outcome) => this.#settle(outcome),
          (error: unknown) => this.#fail(error),
        );
        break;
    }
    return true;
  }

  #connect(): Promise<TcpOutcome> {
    const { address, source, scheme, timeout } = this.#request;
    return this.#stages.tcp.connect({ address, port: this.#stages.ports[scheme], source, timeout }, this.#signal);
  }

  #connected(outcome: TcpOutcome): void {
    if (outcome.kind !== 'connected') {
      this.#settle(outcome);
    } else if (this.#settled) {
      outcome.socket.destroy();
    } else {
      this.#socket = outcome.socket;
      this.#next = 'handshake';
      this.#patience?.cancel();
      this.#leave(this.#stages.connects);
      this.#stages.handshakes.take(this);
    }
  }

  async #talk(): Promise<ProbeOutcome> {
    let socket = this.#socket;
    this.#socket = undefined;
    // A server may well hang up on a client that said nothing while it waited for its turn.
    if (socket === undefined || socket.destroyed) {
      const outcome = await this.#connect();
      if (outcome.kind !== 'connected') return outcome;
      ({ socket } = outcome);
    }
    const { clock, trust } = this.#stages;
    return exchange(socket, this.#request, { clock, context: trust.context() }, this.#signal);
  }

  /** What takes longer than `patience` no longer counts. */
  #leaveLate(slots: Slots): void {
    this.#patience = this.#stages.clock.after(patience, () => this.#leave(slots));
  }

  #leave(slots: Slots): void {
    const index = this.#held.indexOf(slots);
    if (index < 0) return;
    this.#held.splice(index, 1);
    slots.leave();
  }

  #settle(outcome: ProbeOutcome): void {
    this.#end(() => this.#resolve(outcome));
  }

  #fail(error: unknown): void {
    if (this.#signal.aborted) this.#end(() => this.#reject(this.#signal.reason));
    else this.#settle(localFailure(describeError(error)));
  }

  #end(tell: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#forget();
    this.#patience?.cancel();
    this.#socket?.destroy();
    for (const slots of this.#held.splice(0)) slots.leave();
    tell();
  }
}
