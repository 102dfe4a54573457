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
  readonly #listeners: DnsListeners;
  readonly #settings: Omit<ZoneServerSettings, 'bindings'>;
  #answerer: Answerer;
  /** By the binding, in the order of the bindings. */
  #listening: ReadonlyMap<string, DnsListening> = new Map();
  readonly #counts = { udp: 0, tcp: 0, silent: 0 };
  readonly #ended: Promise<never>;
  #fail: (error: Error) => void = () => {};

  private constructor(listeners: DnsListeners, answerer: Answerer, settings: Omit<ZoneServerSettings, 'bindings'>) {
    this.#listeners = listeners;
    this.#answerer = answerer;
    this.#settings = settings;
    this.#ended = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // It may fail before anybody waits for it.
    this.#ended.catch(() => undefined);
  }

  /** All bindings or none: rejects with NetstewardError `dns-not-bound`. */
  static async open(listeners: DnsListeners, answerer: Answerer, settings: ZoneServerSettings): Promise<ZoneServer> {
    const server = new ZoneServer(listeners, answerer, settings);
    await server.change(answerer, settings.bindings);
    return server;
  }

  /**
   * Other answers, and other bindings: those that stay miss no query. All or nothing: where it rejects (NetstewardError
   * `dns-not-bound`), everything is as it was.
   */
  async change(answerer: Answerer, bindings: readonly DnsBinding[]): Promise<void> {
    const before = this.#listening;
    const after = new Map<string, DnsListening>();
    try {
      for (const binding of bindings) {
        // Any free port is another one each time.
        const key = binding.port === 0 ? `any ${after.size}` : `${binding.address} ${binding.port}`;
        after.set(key, before.get(key) ?? (await this.#listen(binding)));
      }
    } catch (error) {
      await closeAll([...after].filter(([key]) => !before.has(key)));
      throw error;
    }
    this.#answerer = answerer;
    this.#listening = after;
    await closeAll([...before].filter(([key]) => !after.has(key)));
  }

  /** Where it listens, in the order of the bindings. */
  get local(): readonly string[] {
    return [...this.#listening.values()].map(({ local }) => local);
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
    await closeAll(this.#listening);
  }

  #listen(binding: DnsBinding): Promise<DnsListening> {
    const { tcp, trace } = this.#settings;
    const counts = this.#counts;
    const answer = (message: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array | undefined => {
      const said = this.#answerer.answer(message, transport);
      if (said === undefined) counts.silent++;
      else counts[transport]++;
      trace?.(message, said, transport);
      return said;
    };
    return this.#listeners.open(binding, { answer, failed: (error) => this.#fail(error) }, tcp);
  }
}

async function closeAll(listening: Iterable<readonly [string, DnsListening]>): Promise<void> {
  await Promise.all([...listening].map(([, each]) => each.close()));
}
