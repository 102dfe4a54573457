/** The DnsTransport port: the one way for each protocol. */
import type { Clock } from '../../core/clock.ts';
import type { DnsOutcome, DnsQuestion, DnsServer, DnsTransport } from '../dns-client-ports.ts';
import { Handshakes, type SecurePorts } from './dns-client-handshakes.ts';
import { exchangeTcp } from './dns-client-tcp.ts';
import { exchangeUdp } from './dns-client-udp.ts';
import type { TrustStore } from './trust-store.ts';

export class LinuxDnsTransport implements DnsTransport {
  readonly #clock: Clock;
  readonly #trust: () => TrustStore;
  readonly #handshakes: Handshakes;

  /** `trust`: called with the first question over TLS. May throw. */
  constructor(clock: Clock, trust: () => TrustStore) {
    this.#clock = clock;
    this.#trust = trust;
    this.#handshakes = new Handshakes(clock);
  }

  async exchange(server: DnsServer, question: DnsQuestion, signal: AbortSignal): Promise<DnsOutcome> {
    if (server.protocol === 'udp') return exchangeUdp(this.#clock, server, question, signal);
    if (server.protocol === 'tcp') return exchangeTcp(this.#clock, server, question, signal);
    if (server.protocol === 'tls') {
      const { exchangeTls } = await import('./dns-client-tls.ts');
      return exchangeTls(this.#secure(), server, question, signal);
    }
    // undici takes long to load: only who needs it pays.
    const { exchangeHttps } = await import('./dns-client-https.ts');
    return exchangeHttps(this.#secure(), server, question, signal);
  }

  #secure(): SecurePorts {
    return { clock: this.#clock, trust: this.#trust(), handshakes: this.#handshakes };
  }
}
