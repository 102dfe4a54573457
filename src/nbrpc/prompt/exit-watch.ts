/** Which exits are dead: those through which not even the control services answer, while they do directly. */
import type { Clock } from '../../core/clock.ts';
import { uselessExits } from '../exit-choice.ts';
import type { Exit } from '../exits.ts';
import type { OwnSide } from '../own-side.ts';
import type { StateView } from '../state.ts';

export interface ExitHealth {
  readonly name: string;
  readonly works: boolean;
  /** Why it does not; empty where it does. */
  readonly reason: string;
  /** Median of the newest checks that worked through it, milliseconds; null before the first one. */
  readonly latency: number | null;
  /** Since when it works, or does not, as far as this run knows: milliseconds since the epoch. Null before the first look. */
  readonly since: number | null;
}

/** Looks that decide. */
const rounds = 4;
const confirmations = 3;
/** After a dead one: so many looks in a row have to work. */
const returns = 2;
/** Checks that the latency is of. */
const mostTimes = 31;

interface Watched {
  looks: boolean[];
  dead: boolean;
  /** A look through it has worked, in this run. */
  proven: boolean;
  reason: string;
  times: number[];
  /** Wall clock, milliseconds. */
  since: number | null;
  /** The first of the failed looks that still count: seconds of the monotonic clock. */
  failing: number | null;
}

/** Pure but for its own memory. */
export class ExitWatch {
  readonly #exits: ReadonlyMap<string, Watched>;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;

  constructor(exits: readonly Exit[], clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
    const fresh = { looks: [], dead: false, proven: false, reason: '', times: [], since: null, failing: null };
    this.#exits = new Map(exits.map(({ name }) => [name, { ...fresh }]));
  }

  get dead(): ReadonlySet<string> {
    return new Set([...this.#exits].filter(([, { dead }]) => dead).map(([name]) => name));
  }

  /** Those of which this run does not know yet whether they work: no reason to leave one, nor to take up what was given up. */
  get unproven(): ReadonlySet<string> {
    return new Set([...this.#exits].filter(([, { dead, proven }]) => !dead && !proven).map(([name]) => name));
  }

  /** What every service's choice depends on, as text. */
  get standings(): string {
    return [...this.#exits].map(([name, { dead, proven }]) => `${name}=${dead ? 'dead' : proven}`).join();
  }

  /** A look is not what the ones before were: another one should follow soon. */
  get doubted(): boolean {
    return [...this.#exits.values()].some(({ looks, dead }) => looks.length > 0 && looks.at(-1) === dead);
  }

  get health(): readonly ExitHealth[] {
    return [...this.#exits].map(([name, { dead, reason, times, since }]) => {
      const sorted = [...times].sort((a, b) => a - b);
      const latency = sorted[Math.floor(sorted.length / 2)];
      return { name, works: !dead, reason: dead ? reason : '', latency: latency ?? null, since };
    });
  }

  /** What a look at the control services through it has said. */
  looked(name: string, own: OwnSide): void {
    const exit = this.#exits.get(name);
    if (exit === undefined) return;
    const was = exit.dead;
    exit.looks = [...exit.looks, own.ok].slice(-rounds);
    if (own.ok) exit.proven = true;
    else exit.reason = own.reason;
    if (exit.dead) exit.dead = exit.looks.slice(-returns).includes(false);
    else exit.dead = exit.looks.filter((works) => !works).length >= confirmations;
    if (!exit.dead && own.ok && exit.looks.slice(-returns).every(Boolean)) exit.looks = exit.looks.slice(-returns);
    if (exit.since === null || was !== exit.dead) exit.since = this.#clock.now();
    exit.failing = exit.dead || exit.looks.includes(false) ? (exit.failing ?? this.#clock.monotonic() / 1000) : null;
  }

  /** When the looks began to fail that made it a dead one, seconds of the monotonic clock; null: it is not dead. */
  diedFrom(name: string): number | null {
    const exit = this.#exits.get(name);
    return exit?.dead ? exit.failing : null;
  }

  took(name: string, ms: number): void {
    const exit = this.#exits.get(name);
    if (exit !== undefined) exit.times = [...exit.times, ms].slice(-mostTimes);
  }

  /** What failed before was the fault of our own side. */
  void(): void {
    for (const exit of this.#exits.values()) {
      if (exit.dead) continue;
      exit.looks = [];
      exit.failing = null;
    }
  }
}

/** Where no control services tell a dead exit from a live one, what its services say of it has to do: nothing follows from that. */
export function judgedByServices(health: readonly ExitHealth[], state: StateView): readonly ExitHealth[] {
  const useless = uselessExits(health, state);
  return health.map((exit) => {
    const fails = useless.get(exit.name);
    if (fails === undefined) return exit;
    const reason = `all that is checked through it fails, which works through another exit (${fails} service(s))`;
    return { ...exit, works: false, reason, since: null };
  });
}
