/** The HttpProbe port over real sockets: connects in large numbers, then TLS and HTTP in small ones. */
import net from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import type { HttpProbe, ProbeOutcome, ProbeRequest } from '../ports.ts';
import { exchange } from './http-probe-exchange.ts';
import { localFailure } from './http-probe-failure.ts';
import { Slots } from './http-probe-slots.ts';
import type { PortRange } from './local-ports.ts';
import { TcpStage } from './tcp-stage.ts';
import type { TrustStore } from './trust-store.ts';

export interface HttpProbeOptions {
  readonly clock: Clock;
  readonly trust: TrustStore;
  /**
   * Connects that start at a time, and sockets that are connected and wait for their handshake; 1000 by default. A connect
   * that takes longer than `patience` no longer counts.
   */
  readonly connects?: number;
  /** Handshakes that start at a time; 64 by default. One that takes longer than `patience` no longer counts. */
  readonly handshakes?: number;
  /** Open sockets in all; 3000 by default (one that is connected and waits for its turn costs 6 kB). */
  readonly sockets?: number;
  /** Own checks come from these ports, so that a firewall can tell them apart. */
  readonly sourcePorts?: PortRange;
  /** Where servers listen: 80 and 443 but in tests. */
  readonly ports?: { readonly http: number; readonly https: number };
}

// A censor that swallows packets must not hold a slot for a whole time-out: 64 addresses that swallow the TLS hello would stop
// everything, 1000 that swallow the SYN would.
const patience = 250;

/** Host and path go out as they are: into the TLS hello, a header and the request line. */
function requestProblem({ address, host, path }: ProbeRequest): string | undefined {
  if (net.isIP(address) === 0) return `${address} is not an IP address`;
  if (net.isIP(host) === 0 && !/^[A-Za-z0-9_=.-]{1,254}$/.test(host)) return `${host} is no host name`;
  return /^\/[\x21-\x7e]*$/.test(path) ? undefined : `${path} is no path: it starts with "/" and is printable ASCII`;
}

export class LinuxHttpProbe implements HttpProbe {
  readonly #clock: Clock;
  readonly #trust: TrustStore;
  readonly #tcp: TcpStage;
  readonly #ports: { readonly http: number; readonly https: number };
  readonly #sockets: Slots;
  readonly #connects: Slots;
  readonly #handshakes: Slots;

  constructor(options: HttpProbeOptions) {
    this.#clock = options.clock;
    this.#trust = options.trust;
    this.#tcp = new TcpStage(options.clock, options.sourcePorts);
    this.#ports = options.ports ?? { http: 80, https: 443 };
    this.#sockets = new Slots(options.sockets ?? 3000);
    this.#connects = new Slots(options.connects ?? 1000);
    this.#handshakes = new Slots(options.handshakes ?? 64);
  }

  /** Waiting for a slot is no part of the request's time-outs. */
  probe(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome> {
    const problem = requestProblem(request);
    if (problem !== undefined) return Promise.resolve(localFailure(problem));
    return this.#sockets.run(signal, async () => {
      try {
        return await this.#stages(request, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return localFailure(describeError(error));
      }
    });
  }

  async #stages(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome> {
    const target = { address: request.address, port: this.#ports[request.scheme], timeout: request.timeout };
    return this.#connects.run(signal, async (connected) => {
      const late = this.#clock.after(patience, connected);
      const first = await this.#tcp.connect(target, signal).finally(() => late.cancel());
      if (first.kind !== 'connected') return first;
      const { socket } = first;
      let started = false;
      const stop = (): void => {
        if (!started) socket.destroy();
      };
      const shake = async (release: () => void): Promise<ProbeOutcome> => {
        started = true;
        connected();
        const timer = this.#clock.after(patience, release);
        try {
          // A server may well hang up on a client that said nothing while it waited for its turn.
          const next = socket.destroyed ? await this.#tcp.connect(target, signal) : first;
          if (next.kind !== 'connected') return next;
          const options = { clock: this.#clock, context: this.#trust.context() };
          return await exchange(next.socket, request, options, signal);
        } finally {
          timer.cancel();
        }
      };
      return this.#handshakes.run(signal, shake).finally(stop);
    });
  }
}
