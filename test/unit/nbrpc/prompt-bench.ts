/** The nbrpc module under the prompt schedule on fakes, for its tests: minutes pass in microseconds. */
import assert from 'node:assert/strict';
import type { SetContents } from '../../../src/system/ports.ts';
import { FakeNbrpcHost, textOf } from '../../fakes/fake-nbrpc-host.ts';

export const minute = 60_000;
const reset = { kind: 'failure', stage: 'tls', reason: 'reset', detail: 'ECONNRESET' } as const;
/** The own addresses of the exits. */
export const [a, b] = ['10.9.0.2', '10.9.1.2'];

export class Bench extends FakeNbrpcHost {
  #forgotten = 0;

  constructor(list: string) {
    super(list, { control: { services: ['control.example:https=200'] } });
    this.resolver.answer('control.example', '9.9.9.1');
  }

  /** Over restarts and reloads. */
  #given(): readonly SetContents[] {
    return this.opened.flatMap(({ holds }) => holds);
  }

  /** What the sets hold, without those that hold nothing. */
  get held(): string {
    return withoutEmpty(this.#given().at(-1) ?? new Map());
  }

  /** All that they held since forgetChanges(), in order. */
  get changes(): readonly string[] {
    return this.#given().slice(this.#forgotten).map(withoutEmpty);
  }

  forgetChanges(): void {
    this.#forgotten = this.#given().length;
  }

  flips(): readonly string[] {
    return this.log.of('flip').map(({ fields }) => {
      const { host, from, to, exit } = fields as Record<string, string | undefined>;
      return `${host} ${from}>${to}${exit === undefined ? '' : ` ${exit}`}`;
    });
  }

  /** Seconds, as the newest flip says. */
  took(): number {
    return Number(this.log.of('flip').at(-1)?.fields.took);
  }

  warnings(): readonly string[] {
    return this.log.lines
      .filter(({ event }) => event === 'warning-raised' || event === 'warning-cleared')
      .map(({ event, fields }) => `${event === 'warning-raised' ? '+' : '-'}${fields.code} ${fields.subject}`.trim());
  }

  /** Through this own address nothing comes back, or everything. */
  exitWorks(source: string, works: boolean, ...hosts: string[]): void {
    for (const host of hosts) {
      const answer = { kind: 'answer', status: 200, bytes: 9, location: undefined } as const;
      this.probe.through(source, host, '*', works ? answer : reset);
    }
  }

  /** Minutes until this holds; fails after `most`. */
  async until(holds: () => boolean, most: number): Promise<number> {
    const start = this.clock.monotonic();
    while (!holds()) {
      assert.ok(this.clock.monotonic() - start < most * minute, `not within ${most} minutes: ${this.held}`);
      await this.clock.advance(1000);
    }
    return (this.clock.monotonic() - start) / minute;
  }
}

const withoutEmpty = (contents: SetContents): string =>
  textOf(new Map([...contents].filter(([, members]) => members.size > 0)));

export const two = {
  table: { mask: 0x30000 },
  exit: [
    { name: 'wg0', source: [a] },
    { name: 'wg1', source: [b], mark: 0x20000 },
  ],
};
