/** The journal port's suite on the journal in memory; test/system/journal.test.ts runs it on journald. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeJournal } from '../fakes/fake-journal.ts';
import { type Follower, type JournalBench, journalSuite, type Told } from './journal-suite.ts';

function follow(journal: FakeJournal): Follower {
  const told: Told[] = [];
  const following = journal.follow({
    job: (job) => told.push({ job }),
    lost: (reason) => told.push({ lost: reason }),
    found: () => told.push({ found: true }),
  });
  return { told: () => told, close: () => following.close() };
}

describe('a journal in memory', () => {
  journalSuite((): JournalBench => {
    const journal = new FakeJournal();
    return {
      follow: () => follow(journal),
      start: async (unit) => journal.job(unit, { at: Date.now() * 1000 }),
      interrupted: async (_follower, work) => {
        journal.lose('a test took it away');
        await work();
        journal.find();
      },
    };
  });

  it('says at once why it cannot be read', async () => {
    const journal = new FakeJournal();
    journal.lose('no permission');
    const follower = follow(journal);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(follower.told(), [{ lost: 'no permission' }]);
  });
});
