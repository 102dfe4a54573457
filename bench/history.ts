/** The history of 1000 services over 30 days: what writing and asking cost, next to a log of JSON lines that is read as a whole. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventCode, NetstewardEvent } from '../src/core/events.ts';
import { History } from '../src/supervisor/history.ts';
import { serviceIntervals, serviceStateCodes } from '../src/supervisor/history-strips.ts';
import { SqliteStore } from '../src/system/linux/sqlite.ts';
import { FakeClock } from '../test/fakes/fake-clock.ts';
import { ms, printTable, quantile } from './_figures.ts';

const services = 1000;
const days = 30;
const day = 86_400_000;
/** Of each service: it fails, is rerouted, works, goes direct, every other day. */
const story: readonly EventCode[] = ['service-failing', 'service-rerouted', 'service-works', 'service-direct'];

const start = Date.UTC(2026, 0, 1);
const folder = mkdtempSync(join(tmpdir(), 'netsteward-bench-history-'));
const clock = new FakeClock(start);
const file = join(folder, 'history.db');
const lines = join(folder, 'history.jsonl');
const settings = { off: false, file, max_age: 10 * 365 * day, max_size: 50e6 };
const onTrouble = (_: string, reason: string | undefined): void => {
  throw new Error(reason);
};
const history = new History(settings, { clock, store: new SqliteStore(), onTrouble });

const reason = 'connection reset by peer on 2 of 3 addresses (TLS, after the name was sent)';
const writes = { ours: [] as number[], lines: [] as number[] };
/** CPU time in milliseconds: all of it is work of this thread, and other work of the machine must not count. */
const spent = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const timed = <Result>(work: () => Result): readonly [Result, number] => {
  const began = spent();
  return [work(), spent() - began];
};

/** One transaction for each step of a day's story: 1000 events, which is far more than a second ever has. */
async function fill(): Promise<void> {
  for (let at = start; at < start + days * day; at += 2 * day) {
    for (const [step, code] of story.entries()) {
      const batch = Array.from({ length: services }, (_, index): NetstewardEvent => {
        const subject = `service-${index}.example.org`;
        return {
          at: at + step * 3_600_000 + index,
          module: 'nbrpc',
          code,
          subject,
          fields: { from: 'direct', reason },
        };
      });
      for (const event of batch) history.event(event);
      const began = spent();
      await clock.advance(1000);
      writes.ours.push(spent() - began);
      const text = batch.map((event) => `${JSON.stringify(event)}\n`).join('');
      writes.lines.push(timed(() => appendFileSync(lines, text))[1]);
    }
  }
}

const scan = (): NetstewardEvent[] =>
  readFileSync(lines, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as NetstewardEvent);

const until = start + days * day;
const questions: readonly (readonly [string, () => unknown, () => unknown])[] = [
  [
    'events of the last 2 days',
    () => history.query({ since: until - 2 * day, limit: 10_000 }),
    () => scan().filter(({ at }) => at >= until - 2 * day),
  ],
  [
    'events of one service',
    () => history.query({ subject: 'service-500.example.org', limit: 1000 }),
    () => scan().filter(({ subject }) => subject === 'service-500.example.org'),
  ],
  [
    `strips of ${services} services, ${days} days`,
    () => history.serviceIntervals({ since: start, until }),
    () =>
      serviceIntervals(
        scan().filter(({ code }) => serviceStateCodes.includes(code)),
        { since: start, until },
      ),
  ],
  [
    `strips of ${services} services, the last day`,
    () => history.serviceIntervals({ since: until - day, until }),
    () => serviceIntervals(scan(), { since: until - day, until }),
  ],
];

try {
  await fill();
  const rows = questions.map(([name, ours, theirs]) => {
    const times = [ours, theirs].map((ask) =>
      quantile(
        [1, 2, 3, 4, 5].map(() => timed(ask)[1]),
        0.5,
      ),
    );
    return [`${name}, median of 5 (CPU)`, ...times.map((time) => `${ms(time)} ms`)];
  });
  history.close();
  const event = (all: readonly number[]): string => `${ms(quantile(all, 0.5))} ms, worst ${ms(Math.max(...all))} ms`;
  printTable(
    [`${(writes.ours.length * services).toLocaleString('en')} events`, 'SQLite', 'JSON lines'],
    [
      ['write 1000 events, median (CPU)', event(writes.ours), event(writes.lines)],
      ...rows,
      ['size', ...[file, lines].map((each) => `${(statSync(each).size / 1e6).toFixed(1)} MB`)],
    ],
  );
} finally {
  rmSync(folder, { recursive: true });
}
