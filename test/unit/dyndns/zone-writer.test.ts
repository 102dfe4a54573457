/** What the writer does when somebody saves a copy from before an update over it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAddress } from '../../../src/dyndns/address.ts';
import { readSeed } from '../../../src/dyndns/keys.ts';
import { openPolicy } from '../../../src/dyndns/policy.ts';
import { type ZoneSettings, ZoneViews } from '../../../src/dyndns/zone-view.ts';
import { ZoneWriter } from '../../../src/dyndns/zone-writer.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';

const read = readSeed('1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=');
if (read.problem !== undefined) throw new Error(read.problem);
const { verify } = read.value;
const file = '/zone';
const text = (stamp: string, address: string): string => `# dynamic: ${stamp} ${verify.text}\n+a.net:${address}\n`;

async function setUp() {
  const clock = new FakeClock();
  const files = new FakeZoneFiles();
  files.set(file, text('0', '192.0.2.1'));
  const settings: ZoneSettings = { file, optional: [] };
  const views = await ZoneViews.open(files, clock, [settings]);
  const undone: string[] = [];
  const writer = new ZoneWriter({
    clock,
    files,
    views,
    updateTimestamps: false,
    policyOf: () => openPolicy,
    onWritten: () => {},
    onDone: () => {},
    onWithheld: () => {},
    onFailure: () => {},
    onUndone: (path, keyIds) => undone.push(`${path} ${keyIds.join()}`),
  });
  const move = async (to: string, timestamp: number): Promise<void> => {
    const address = readAddress(to);
    assert.ok(address);
    writer.add({ keyId: verify.id, address, timestamp, isNewer: (header) => header < timestamp });
    await settle();
  };
  const wait = async (): Promise<void> => {
    await clock.advance(5000);
    await settle();
  };
  return { clock, files, views, writer, undone, move, wait };
}

test('an old copy is told with its file and keys, and the update is made again', async () => {
  const { files, writer, undone, move, wait, views } = await setUp();
  await move('192.0.2.7', 100.125);
  assert.equal(files.text(file), text('100.12', '192.0.2.7'));
  files.set(file, `${text('0', '192.0.2.1')}# a note\n`);
  await wait();
  assert.deepEqual(undone, [`${file} ${verify.id}`]);
  assert.equal(files.text(file), `${text('100.12', '192.0.2.7')}# a note\n`);
  // What it wrote itself is no news.
  assert.deepEqual(await views.refresh(), []);
  await writer.stop();
});

test('an address by hand below the newest header, and a header that another server has raised, stay', async () => {
  const { files, writer, undone, move, wait } = await setUp();
  await move('192.0.2.7', 100);
  for (const saved of [text('100.00', '192.0.2.99'), text('200', '192.0.2.50'), '# nothing follows any more\n']) {
    files.set(file, saved);
    await wait();
    assert.equal(files.text(file), saved);
  }
  assert.deepEqual(undone, []);
  await writer.stop();
});

test('of several updates the newest is made again, not one of an earlier time', async () => {
  const { files, writer, move, wait } = await setUp();
  await move('192.0.2.7', 100);
  await move('192.0.2.8', 200);
  files.set(file, text('100.00', '192.0.2.7'));
  await wait();
  assert.equal(files.text(file), text('200.00', '192.0.2.8'));
  await writer.stop();
});

test('nothing is looked at before the first update, nor after the end', async () => {
  const { clock, writer, move } = await setUp();
  assert.equal(clock.waiting, 0);
  await move('192.0.2.7', 100);
  assert.equal(clock.waiting, 1);
  await writer.stop();
  assert.equal(clock.waiting, 0);
});

test('what a look between packets has found is given to the next refresh too, once', async () => {
  const { files, views, writer } = await setUp();
  files.set(file, text('5', '192.0.2.5'));
  assert.equal((await views.glance()).length, 1);
  assert.equal((await views.glance()).length, 0);
  assert.equal((await views.refresh()).length, 1);
  assert.equal((await views.refresh()).length, 0);
  await writer.stop();
});
