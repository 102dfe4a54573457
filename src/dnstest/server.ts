/** The test zone's server: answers at several addresses at once, and counts what it said. */
import type { DnsBinding, DnsListeners, DnsListening, TcpLimits } from '../system/dns-listen-ports.ts';
import type { Answerer } from './answer.ts';

export interface ZoneServerSettings {
  readonly bindings: readonly DnsBinding[];
  readonly tcp: TcpLimits;
  /** Told of each message and its answer: for debugging alone, since it costs more than an answer does. */
  readonly trace?: (message: Uint8Array, answer: Uint8Array | undefined, transport: 'udp' | 'tcp') => void;
}

export const usualTcpLimits: TcpLimits = { connections: 256, idle: 10_000 };

export interface ServerCounts {
  readonly udp: number;
  readonly tcp: number;
  /** Messages that were not answered: responses, and what has no header. */
  readonly silent: number;
}

export class ZoneServer {
  readonly #answerer: Answerer;
  readonly #listening: DnsListening[] = [];
  readonly #counts = { udp: 0, tcp: 0, silent: 0 };
  readonly #ended: Promise<never>;
  #fail: (error: Error) => void = () => {};

  private constructor(answerer: Answerer) {
    this.#answerer = answerer;
    this.#ended = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // It may fail before anybody waits for it.
    this.#ended.catch(() => undefined);
  }

  /** All bindings or none: rejects with NetstewardError `dns-not-bound`. */
  static async open(listeners: DnsListeners, answerer: Answerer, settings: ZoneServerSettings): Promise<ZoneServer> {
    const server = new ZoneServer(answerer);
    try {
      for (const binding of settings.bindings) await server.#listen(listeners, binding, settings);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Where it listens, in the order of the bindings. */
  get local(): readonly string[] {
    return this.#listening.map(({ local }) => local);
  }

  get counts(): ServerCounts {
    return { ...this.#counts };
  }

  /** Rejects once one of its sockets fails. Never resolves. */
  get ended(): Promise<never> {
    return this.#ended;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#listening.map((each) => each.close()));
  }

  async #listen(listeners: DnsListeners, binding: DnsBinding, { tcp, trace }: ZoneServerSettings): Promise<void> {
    const answerer = this.#answerer;
    const counts = this.#counts;
    const answer = (message: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array | undefined => {
      const said = answerer.answer(message, transport);
      if (said === undefined) counts.silent++;
      else counts[transport]++;
      trace?.(message, said, transport);
      return said;
    };
    this.#listening.push(await listeners.open(binding, { answer, failed: (error) => this.#fail(error) }, tcp));
  }
}
