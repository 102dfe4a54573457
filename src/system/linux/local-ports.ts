/** Own source ports, one after another from a range, so that a firewall can tell own checks from other traffic. */
import { NetstewardError } from '../../core/errors.ts';

export interface PortRange {
  readonly first: number;
  /** Included. */
  readonly last: number;
}

/**
 * Cycles through the range. A port is free for another destination at once (libuv binds with SO_REUSEADDR, and the kernel looks
 * at the whole 4-tuple in connect(2)), and for the same one once the connection is closed on both sides: for a port that was
 * bound, Linux does not wait for the end of TIME_WAIT where TCP timestamps are on (tcp_twsk_unique in net/ipv4/tcp_ipv4.c).
 * Ports outside net.ipv4.ip_local_port_range (32768-60999 by default) are taken by nobody else.
 */
export class LocalPorts {
  readonly #range: PortRange;
  #next: number;

  /** Starts anywhere, so that a restart does not meet half-closed connections of its predecessor. Throws NetstewardError `source-ports-invalid`. */
  constructor(range: PortRange, random: () => number = Math.random) {
    const valid = [range.first, range.last].every((port) => Number.isInteger(port) && port >= 1 && port <= 65535);
    if (!valid || range.first > range.last) {
      throw new NetstewardError('source-ports-invalid', `${range.first}-${range.last} is no range of ports`, {
        remedy: 'Give two ports from 1 to 65535, the lower one first.',
      });
    }
    this.#range = range;
    this.#next = range.first + Math.floor(random() * this.size);
  }

  get size(): number {
    return this.#range.last - this.#range.first + 1;
  }

  next(): number {
    const port = this.#next;
    this.#next = port === this.#range.last ? this.#range.first : port + 1;
    return port;
  }
}
