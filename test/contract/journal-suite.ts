/** What every journal does: run on the one in memory (here) and on journald in a container (test/system). */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { UnitJob } from '../../src/system/unit-ports.ts';
import { eventually } from '../system/eventually.ts';

/** One call of a JournalListener. */
export type Told = { readonly job: UnitJob } | { readonly lost: string } | { readonly found: true };

export interface Follower {
  /** All that it was told, in order. */
  told(): readonly Told[];
  close(): Promise<void>;
}

export interface JournalBench {
  follow(): Follower;
  /** Has systemd start a unit of this name, and write its entries. */
  start(unit: string): Promise<void>;
  /** Keeps the journal from being read while `work` runs. */
  interrupted(follower: Follower, work: () => Promise<void>): Promise<void>;
}

export const jobsOf = (follower: Follower, unit: string): readonly UnitJob[] =>
  follower.told().flatMap((told) => ('job' in told && told.job.unit === unit ? [told.job] : []));

export const lastWord = (follower: Follower): Told | undefined => follower.told().findLast((told) => !('job' in told));

export async function untilFound(follower: Follower): Promise<void> {
  await eventually('found', () => 'found' in (lastWord(follower) ?? {}), {
    details: () => JSON.stringify(follower.told()),
  });
}

export async function untilTold(follower: Follower, unit: string): Promise<void> {
  await eventually(`a job of ${unit}`, () => jobsOf(follower, unit).length > 0, {
    details: () => JSON.stringify(follower.told()),
  });
}

/** Within a describe. `open` is called once a test. */
export function journalSuite(open: () => JournalBench): void {
  it('says that it can be read, and tells the jobs of units from then on', async () => {
    const bench = open();
    await bench.start('early.service');
    const follower = bench.follow();
    try {
      await untilFound(follower);
      const before = Date.now() * 1000 - 1;
      await bench.start('first.service');
      await bench.start('second.service');
      await untilTold(follower, 'second.service');
      const [job] = jobsOf(follower, 'first.service');
      assert.equal(job?.user, false);
      assert.ok(job.at > before && job.at <= Date.now() * 1000 + 1000, `${job.at} after ${before}`);
      assert.deepEqual(jobsOf(follower, 'early.service'), []);
    } finally {
      await follower.close();
    }
  });

  it('tells what was missed while it could not be read', async () => {
    const bench = open();
    const follower = bench.follow();
    try {
      await untilFound(follower);
      await bench.start('before.service');
      await untilTold(follower, 'before.service');
      const known = jobsOf(follower, 'before.service').length;
      await bench.interrupted(follower, async () => {
        await bench.start('meanwhile-1.service');
        await bench.start('meanwhile-2.service');
      });
      await untilTold(follower, 'meanwhile-2.service');
      await untilFound(follower);
      assert.ok(jobsOf(follower, 'meanwhile-1.service').length > 0);
      assert.equal(jobsOf(follower, 'before.service').length, known, 'told again');
      assert.ok(follower.told().some((told) => 'lost' in told));
    } finally {
      await follower.close();
    }
  });

  it('tells two followers the same, and one that was closed nothing', async () => {
    const bench = open();
    const [closed, first, second] = [bench.follow(), bench.follow(), bench.follow()];
    try {
      for (const follower of [closed, first, second]) await untilFound(follower);
      await closed.close();
      await bench.start('late.service');
      await untilTold(first, 'late.service');
      await untilTold(second, 'late.service');
      assert.deepEqual(jobsOf(closed, 'late.service'), []);
    } finally {
      await first.close();
      await second.close();
    }
  });
}
