/** A process that writes events until it is killed, and says each one that is written: `history-writer.js FILE SUBJECT`. */
import { History, writeDelay } from '../../../src/supervisor/history.ts';
import { SqliteStore } from '../../../src/system/linux/sqlite.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

const [file = '', subject = ''] = process.argv.slice(2);
const clock = new FakeClock();
const history = new History(
  { off: false, file, max_age: 86_400_000, max_size: 50e6 },
  {
    clock,
    store: new SqliteStore(),
    onTrouble: (_, reason) => reason !== undefined && process.stderr.write(`${reason}\n`),
  },
);
for (let count = 0; ; count++) {
  history.event({
    at: clock.now(),
    module: 'nbrpc',
    code: 'service-works',
    subject,
    fields: { reason: String(count) },
  });
  await clock.advance(writeDelay);
  process.stdout.write(`${count}\n`);
}
