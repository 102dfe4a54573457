/** First stage of a probe: TCP connects to one address each, from own source ports if asked, thousands at a time. */
import net from 'node:net';
import type { Clock, Timer } from '../../core/clock.ts';
import { errnoOf } from '../../core/errors.ts';
import type { ProbeOutcome } from '../ports.ts';
import { onAbort } from './http-probe-abort.ts';
import { connectFailure, failure } from './http-probe-failure.ts';
import { LocalPorts, type PortRange } from './local-ports.ts';

export type TcpOutcome = { readonly kind: 'connected'; readonly socket: net.Socket } | ProbeOutcome;

export interface TcpTarget {
  /** An IPv4 or IPv6 address: no name is ever resolved here. */
  readonly address: string;
  readonly port: number;
  /** An own address of the same family to send from; absent: the one that the route prefers. */
  readonly source?: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

// EADDRNOTAVAIL: a connection from that port to this address is open, or half closed. EADDRINUSE: a listener sits on the port.
const portTaken = new Set(['EADDRINUSE', 'EADDRNOTAVAIL']);
const portAttempts = 8;

const ignore = (): void => {};

/** Calls `action` after `ms`, but not before what has already arrived is read: a stalled process must not see time-outs that never were. */
export function deadline(clock: Clock, ms: number, action: () => void): Timer {
  let immediate: NodeJS.Immediate | undefined;
  const timer = clock.after(ms, () => {
    // Node runs timers, then polls the sockets, then immediates (libuv's loop phases).
    immediate = setImmediate(action);
  });
  return {
    cancel: () => {
      timer.cancel();
      clearImmediate(immediate);
    },
  };
}

export class TcpStage {
  readonly #clock: Clock;
  readonly #ports: LocalPorts | undefined;

  constructor(clock: Clock, sourcePorts?: PortRange) {
    this.#clock = clock;
    this.#ports = sourcePorts === undefined ? undefined : new LocalPorts(sourcePorts);
  }

  /** The socket's errors are swallowed until someone listens. Rejects only with the signal's reason. */
  async connect(target: TcpTarget, signal: AbortSignal): Promise<TcpOutcome> {
    const ports = this.#ports;
    const attempts = ports === undefined ? 1 : Math.min(portAttempts, ports.size);
    for (let attempt = 1; ; attempt++) {
      const result = await this.#connectFrom(ports?.next(), target, signal);
      if (!(result instanceof Error)) return result;
      if (attempt >= attempts) return connectFailure(result, false);
    }
  }

  /** An Error: the local port is taken. */
  #connectFrom(localPort: number | undefined, target: TcpTarget, signal: AbortSignal): Promise<TcpOutcome | Error> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      let sent = false;
      const socket = net.connect({
        host: target.address,
        port: target.port,
        noDelay: true,
        autoSelectFamily: false,
        ...(localPort === undefined ? {} : { localPort }),
        ...(target.source === undefined ? {} : { localAddress: target.source }),
      });
      const settle = (): void => {
        timer.cancel();
        forget();
      };
      const timer = deadline(this.#clock, target.timeout, () => {
        settle();
        socket.destroy();
        resolve(failure('connect', 'timeout', `no connection to ${target.address} within ${target.timeout} ms`));
      });
      const forget = onAbort(signal, () => {
        settle();
        socket.destroy();
        reject(signal.reason);
      });
      // Not told when connect(2) itself fails: then nothing has left this machine.
      const onAttemptFailed = (): void => {
        sent = true;
      };
      const onError = (error: Error): void => {
        settle();
        const taken = localPort !== undefined && portTaken.has(errnoOf(error) ?? '');
        resolve(taken ? error : connectFailure(error, sent));
      };
      socket.once('connectionAttemptFailed', onAttemptFailed);
      // Stays for the socket's whole life: an error without a listener would end the process.
      socket.on('error', ignore);
      socket.once('error', onError);
      socket.once('connect', () => {
        settle();
        // A socket that waits for its turn need not hold all this.
        socket.off('connectionAttemptFailed', onAttemptFailed).off('error', onError);
        resolve({ kind: 'connected', socket });
      });
    });
  }
}
