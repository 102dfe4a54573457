/** The HttpProbe port over real sockets: connects in large numbers, then TLS and HTTP in small ones. */
import net from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { HttpProbe, ProbeOutcome, ProbeRequest } from '../ports.ts';
import { localFailure } from './http-probe-failure.ts';
import { passThrough, type Stages } from './http-probe-passage.ts';
import { Slots } from './http-probe-slots.ts';
import type { PortRange } from './local-ports.ts';
import { TcpStage } from './tcp-stage.ts';
import type { TrustStore } from './trust-store.ts';

export interface HttpProbeOptions {
  readonly clock: Clock;
  readonly trust: TrustStore;
  /** Connects that start at a time; 1000 by default. One that takes longer than 250 ms no longer counts. */
  readonly connects?: number;
  /** Handshakes that start at a time; 64 by default. One that takes longer than 250 ms no longer counts. */
  readonly handshakes?: number;
  /** Open sockets in all; 3000 by default (one that is connected and waits for its turn costs 6 kB). */
  readonly sockets?: number;
  /** Own checks come from these ports, so that a firewall can tell them apart. */
  readonly sourcePorts?: PortRange;
  /** Where servers listen: 80 and 443 but in tests. */
  readonly ports?: { readonly http: number; readonly https: number };
}

/** Host and path go out as they are: into the TLS hello, a header and the request line. */
function requestProblem({ address, host, path }: ProbeRequest): string | undefined {
  if (net.isIP(address) === 0) return `${address} is not an IP address`;
  if (net.isIP(host) === 0 && !/^[A-Za-z0-9_=.-]{1,254}$/.test(host)) return `${host} is no host name`;
  return /^\/[\x21-\x7e]*$/.test(path) ? undefined : `${path} is no path: it starts with "/" and is printable ASCII`;
}

export class LinuxHttpProbe implements HttpProbe {
  readonly #stages: Stages;

  constructor(options: HttpProbeOptions) {
    const { clock, trust, ports = { http: 80, https: 443 } } = options;
    this.#stages = {
      clock,
      trust,
      ports,
      tcp: new TcpStage(clock, options.sourcePorts),
      sockets: new Slots(options.sockets ?? 3000),
      connects: new Slots(options.connects ?? 1000),
      handshakes: new Slots(options.handshakes ?? 64),
    };
  }

  /** Waiting for a slot is no part of the request's time-outs. */
  probe(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome> {
    const problem = requestProblem(request);
    if (problem !== undefined) return Promise.resolve(localFailure(problem));
    return passThrough(this.#stages, request, signal);
  }
}
