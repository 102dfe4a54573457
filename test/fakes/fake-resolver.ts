/** A resolver whose answers a test sets; it can be made to wait, so that answers come in any order. */
import type { ResolveOutcome, ResolveRequest, Resolver } from '../../src/system/ports.ts';

export class FakeResolver implements Resolver {
  readonly #answers = new Map<string, ResolveOutcome>();
  readonly requests: ResolveRequest[] = [];
  /** Called before each answer. */
  delay: (name: string) => Promise<void> = () => Promise.resolve();
  closed = false;

  answer(name: string, ...addresses: string[]): void {
    this.#answers.set(name, { ok: true, addresses });
  }

  fail(name: string, kind: string, detail = ''): void {
    this.#answers.set(name, { ok: false, kind, detail });
  }

  async resolve(request: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome> {
    this.requests.push(request);
    await this.delay(request.name);
    signal.throwIfAborted();
    return this.#answers.get(request.name) ?? { ok: false, kind: 'nxdomain', detail: 'no such name' };
  }

  close(): void {
    this.closed = true;
  }
}
