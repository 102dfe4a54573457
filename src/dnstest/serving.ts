/** The test zone's server in the supervisor, where the configuration has one: it comes, changes and goes with reloads. */
import type { Logger } from '../core/log.ts';
import type { DnsListeners } from '../system/dns-listen-ports.ts';
import type { DnstestConfig } from './config.ts';
import { answererFor, bindingsOf } from './serve-answerer.ts';
import { isWildcard, wildcardText } from './serve-binding.ts';
import { usualTcpLimits, ZoneServer } from './server.ts';
import type { ServeEntry } from './status.ts';

export class Serving {
  readonly #listeners: DnsListeners;
  readonly #log: Logger;
  #server: ZoneServer | undefined;
  #zones: readonly string[] = [];
  #stopped = false;
  #tell: (error: unknown) => void = () => {};

  constructor({ listeners, log }: { readonly listeners: DnsListeners; readonly log: Logger }) {
    this.#listeners = listeners;
    this.#log = log;
  }

  /** `tell` is called when a socket fails. */
  failed(tell: (error: unknown) => void): void {
    this.#tell = tell;
  }

  /** Null: it does not serve. */
  get entry(): ServeEntry | null {
    if (this.#server === undefined) return null;
    const { local, counts } = this.#server;
    const { udp, tcp, silent } = counts;
    return { zones: this.#zones, at: local, answered: { udp, tcp }, silent };
  }

  /** `config`: with its keys in it. All or nothing: where it rejects (NetstewardError `dns-not-bound`), all is as it was. */
  async change({ serve, hash_key }: DnstestConfig): Promise<void> {
    if (this.#stopped) return;
    if (serve === undefined) {
      const server = this.#server;
      this.#server = undefined;
      await server?.stop();
      return;
    }
    const bindings = bindingsOf(serve);
    const answerer = answererFor(serve, hash_key);
    if (this.#server !== undefined) await this.#server.change(answerer, bindings);
    else {
      const server = await ZoneServer.open(this.#listeners, answerer, { bindings, tcp: usualTcpLimits });
      this.#server = server;
      server.ended.catch((error: unknown) => {
        if (this.#server === server) this.#tell(error);
      });
    }
    this.#zones = serve.zones;
    for (const { address } of bindings) {
      if (isWildcard(address)) this.#log.warn('dnstest-wildcard', { bind: address, text: wildcardText });
    }
    this.#log.info('dnstest-serves', {
      at: this.#server?.local,
      zones: serve.zones,
    });
    // Stopped meanwhile.
    if (this.#stopped) await this.#server?.stop();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#server?.stop();
  }
}
