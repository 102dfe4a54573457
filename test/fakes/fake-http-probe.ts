/** A probe whose outcomes a test sets by host and address; what is not set answers with status 200. */
import type { HttpProbe, ProbeOutcome, ProbeRequest } from '../../src/system/ports.ts';

export class FakeHttpProbe implements HttpProbe {
  readonly #outcomes = new Map<string, ProbeOutcome>();
  readonly requests: ProbeRequest[] = [];
  /** Called before each outcome. */
  delay: (request: ProbeRequest) => Promise<void> = () => Promise.resolve();
  closed = false;

  /** `address` `*`: every address of the host without an outcome of its own. */
  set(host: string, address: string, outcome: ProbeOutcome): void {
    this.#outcomes.set(`${host} ${address}`, outcome);
  }

  works(host: string, address = '*', status = 200): void {
    this.set(host, address, { kind: 'answer', status, bytes: 100, location: undefined });
  }

  /** The same of requests that come from this own address: through an exit. */
  through(source: string, host: string, address: string, outcome: ProbeOutcome): void {
    this.#outcomes.set(`${source} ${host} ${address}`, outcome);
  }

  /** As a censor does it: the connection is reset on the TLS hello. */
  blocked(host: string, address = '*'): void {
    this.set(host, address, {
      kind: 'failure',
      stage: 'tls',
      reason: 'reset',
      detail: 'ECONNRESET',
      facts: { wire: 0 },
    });
  }

  async probe(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome> {
    this.requests.push(request);
    await this.delay(request);
    signal.throwIfAborted();
    const { host, address, source } = request;
    const from = source === undefined ? '' : `${source} `;
    const outcome = this.#outcomes.get(`${from}${host} ${address}`) ?? this.#outcomes.get(`${from}${host} *`);
    return outcome ?? { kind: 'answer', status: 200, bytes: 100, location: undefined };
  }

  close(): void {
    this.closed = true;
  }
}
