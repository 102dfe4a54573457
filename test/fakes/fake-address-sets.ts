/** Address sets in memory: takes every hold() at once unless told to fail. */
import { NetstewardError } from '../../src/core/errors.ts';
import type { AddressSets, AddressSetsStatus, SetContents } from '../../src/system/ports.ts';

export class FakeAddressSets implements AddressSets {
  /** Every accepted contents, in order. */
  readonly holds: SetContents[] = [];
  /** While set, hold() rejects with it. */
  failure: Error | undefined;
  /** How it was closed. */
  closed: 'keep' | 'flush' | undefined;
  onStop: 'keep' | 'flush' | undefined;
  table: AddressSetsStatus['table'] = 'owner';
  /** By address that a packet went to, seconds since the last one. */
  readonly packets = new Map<string, number>();
  /** What became of connections, for status(). */
  connections: AddressSetsStatus['connections'];
  #current = new Map<string, ReadonlySet<string>>();
  #lastError: string | undefined;

  async hold(contents: SetContents): Promise<void> {
    if (this.closed !== undefined) throw new Error('the address sets are closed');
    this.#lastError = this.failure?.message;
    if (this.failure !== undefined) throw this.failure;
    const copy = new Map([...contents].map(([set, addresses]) => [set, new Set(addresses)]));
    this.holds.push(copy);
    this.#current = copy;
  }

  /** What one set holds, sorted. */
  elements(set: string): readonly string[] {
    return [...(this.#current.get(set) ?? [])].sort();
  }

  /** Of listed addresses alone, as the rules of the own table do. */
  async used(): Promise<ReadonlyMap<string, number>> {
    if (this.closed !== undefined) throw new Error('the address sets are closed');
    if (this.failure !== undefined) throw this.failure;
    const listed = new Set([...this.elements('listed4'), ...this.elements('listed6')]);
    return new Map([...this.packets].filter(([address]) => listed.has(address)));
  }

  setOnStop(mode: 'keep' | 'flush'): void {
    this.onStop = mode;
  }

  /** A refusal comes from an agent that is there, and what it said stays until a request was granted. */
  status(): AddressSetsStatus {
    const away = this.failure instanceof NetstewardError && this.failure.code.startsWith('agent-');
    const connections = this.connections === undefined ? {} : { connections: this.connections };
    return {
      connected: this.closed === undefined && !away,
      table: this.table,
      lastError: this.#lastError,
      refills: 0,
      ...connections,
    };
  }

  async close(mode: 'keep' | 'flush'): Promise<void> {
    if (this.closed !== undefined) return;
    this.closed = mode;
    if (mode === 'flush') this.#current.clear();
  }
}
