/** The passes of a running nbrpc on fakes: a rehearsal whose checks take as long as a test lets them. */
import type { CheckTarget } from '../../../src/nbrpc/checker.ts';
import { CountedTime } from '../../../src/nbrpc/counted-time.ts';
import type { CheckResult } from '../../../src/nbrpc/model.ts';
import type { OwnSide } from '../../../src/nbrpc/own-side.ts';
import type { Learned, ListReport } from '../../../src/nbrpc/pass.ts';
import { Passes } from '../../../src/nbrpc/passes.ts';
import { Rehearsal } from './rehearsal.ts';

export const works: OwnSide = { ok: true };
export const broken: OwnSide = { ok: false, gate: 'control', reason: 'nothing works' };

export class LiveRehearsal extends Rehearsal {
  /** What the look at the own side says. */
  look: (signal: AbortSignal) => OwnSide | Promise<OwnSide> = () => works;
  looks = 0;
  /** Milliseconds. */
  interval = 60_000;
  counted = new CountedTime();
  readonly learned: Learned[] = [];
  readonly lists: ListReport[] = [];
  readonly failures: unknown[] = [];
  /** Called with each commit. */
  onLearned: (learned: Learned) => void = () => {};

  /** As a real check does, it ends with the signal. */
  override check(target: CheckTarget, _codes?: ReadonlySet<number>, signal?: AbortSignal): Promise<CheckResult> {
    return Promise.race([super.check(target), aborted(signal)]);
  }

  /** Passes on their interval, until they are stopped. The first one has begun its checks. */
  async run(): Promise<Passes> {
    const passes = new Passes({
      clock: this.clock,
      files: this.files,
      resolver: this.resolver,
      checks: this,
      store: this.store,
      settings: this.settings,
      interval: this.interval,
      counted: this.counted,
      first: true,
      look: (signal) => {
        this.looks += 1;
        return Promise.race([this.look(signal), aborted(signal)]);
      },
      listener: {
        lists: (report) => void this.lists.push(report),
        ownSide: () => {},
        learned: (learned) => {
          this.learned.push(learned);
          this.onLearned(learned);
        },
        passed: () => {},
        failed: (error) => void this.failures.push(error),
      },
    });
    passes.request();
    await this.clock.advance(0);
    return passes;
  }

  /** One pass at this time (seconds), stopped once it has settled. What it brought is given, a commit each. */
  async livePass(now: number): Promise<readonly Learned[]> {
    this.clock.jump(now * 1000 - this.clock.now());
    const before = this.learned.length;
    const passes = await this.run();
    await passes.stop();
    return this.learned.slice(before);
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
}
