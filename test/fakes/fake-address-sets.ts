/** Address sets in memory: takes every hold() at once unless told to fail. */
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

  async hold(contents: SetContents): Promise<void> {
    if (this.closed !== undefined) throw new Error('the address sets are closed');
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

  status(): AddressSetsStatus {
    const connected = this.closed === undefined && this.failure === undefined;
    const connections = this.connections === undefined ? {} : { connections: this.connections };
    return { connected, table: this.table, lastError: this.failure?.message, refills: 0, ...connections };
  }

  async close(mode: 'keep' | 'flush'): Promise<void> {
    if (this.closed !== undefined) return;
    this.closed = mode;
    if (mode === 'flush') this.#current.clear();
  }
}
