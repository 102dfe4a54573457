/** What is told of refused packets: all of them counted, few of them written down, however many come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusals } from '../../../src/dyndns/accept.ts';
import { RefusedLog } from '../../../src/dyndns/refused-log.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

function setUp() {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const lines = (event: string) => log.lines.filter((line) => line.event === event);
  return { clock, refused: new RefusedLog(clock, log), lines };
}

test('every refusal is counted by its kind, whatever the log leaves out', () => {
  const { refused } = setUp();
  for (const [index, kind] of refusals.entries()) {
    for (let count = 0; count <= index * 100; count += 1) refused.add(kind, '192.0.2.1');
  }
  assert.deepEqual(refused.counts, Object.fromEntries(refusals.map((kind, index) => [kind, index * 100 + 1])));
});

test('a flood is one summary a minute, of what came since the last, and ten packets a second at level debug', async () => {
  const { clock, refused, lines } = setUp();
  // 61 seconds of 100 packets each; the summaries come with the first packet of a minute.
  for (let second = 0; second <= 60; second += 1) {
    for (let count = 0; count < 100; count += 1) {
      refused.add(count % 4 === 0 ? 'signature' : 'length', `192.0.2.${count}`, 'key');
    }
    await clock.advance(1000);
  }
  assert.deepEqual(
    lines('packets-refused').map(({ level, fields }) => ({ level, fields })),
    [
      { level: 'info', fields: { signature: 1, last: '192.0.2.0' } },
      { level: 'info', fields: { signature: 25 * 60, length: 75 * 60, last: '192.0.2.0' } },
    ],
  );
  const details = lines('packet-refused');
  assert.equal(details.length, 61 * 10);
  assert.ok(details.every(({ level }) => level === 'debug'));
});
