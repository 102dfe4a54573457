/** Follows the journal in a container and writes what it is told, a line of JSON each, until SIGTERM. */
import { systemClock } from '../../src/core/clock.ts';
import { JournalctlJournal } from '../../src/system/linux/journalctl.ts';
import type { Told } from '../contract/journal-suite.ts';

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

const following = new JournalctlJournal({ clock: systemClock }).follow({
  job: (job) => tell({ job }),
  lost: (reason) => tell({ lost: reason }),
  found: () => tell({ found: true }),
});
process.once('SIGTERM', () => void following.close());
