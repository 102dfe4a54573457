/** A zone file that is kept: written only on change, reloaded after that, tried again after a failure. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WarningBoard } from '../../../src/core/warnings.ts';
import type { ZoneConfig } from '../../../src/nbrpc/config.ts';
import { zoneSpec } from '../../../src/nbrpc/zone.ts';
import { ZoneKeeper } from '../../../src/nbrpc/zone-keeper.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeOutputFiles } from '../../fakes/fake-output-files.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { entry, policy, state } from './build-state.ts';

function bench(over: Partial<ZoneConfig> = {}) {
  const files = new FakeOutputFiles();
  const commands = new FakeCommands();
  const clock = new FakeClock();
  const board = new WarningBoard(
    () => 0,
    () => {},
  );
  const zone: ZoneConfig = {
    format: 'hosts',
    file: '/zone',
    spec: zoneSpec('', ''),
    reload: ['reload'],
    reload_timeout: 1000,
    ...over,
  };
  const make = (other: Partial<ZoneConfig> = {}): ZoneKeeper =>
    new ZoneKeeper({ ...zone, ...other }, { files, commands, clock, board, log: new MemoryLog() });
  const hold = async (keeper: ZoneKeeper, addresses: string): Promise<void> => {
    keeper.hold(state(entry('a.example', { state: 'ok' }, addresses)), policy('af-all'));
    await settle();
  };
  const writes = (): number => files.calls.filter((call) => call === 'replace /zone').length;
  const warnings = (): string[] => board.list().map(({ code, text }) => `${code}: ${text}`);
  return { files, commands, clock, make, hold, writes, warnings };
}

describe('a zone file', () => {
  it('is written and reloaded when its content changed, and left alone otherwise, also over a restart', async () => {
    const { make, hold, writes, commands, files } = bench();
    const keeper = make();
    await hold(keeper, '1.1.1.1=ok');
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual([writes(), commands.requests.length, files.content.get('/zone')], [1, 1, '1.1.1.1 a.example\n']);
    await hold(make(), '1.1.1.1=na');
    assert.deepEqual([writes(), commands.requests.length], [1, 1]);
    await hold(keeper, '1.1.1.1=ok 1.1.1.2=ok');
    assert.deepEqual([writes(), commands.requests.length], [2, 2]);
    assert.deepEqual(commands.requests[0], { argv: ['reload'], timeout: 1000 });
  });

  it('is not new for another order of shuffled addresses, or for its serial number', async () => {
    for (const format of ['hosts', 'rpz'] as const) {
      const { make, hold, writes, clock } = bench({ format, spec: zoneSpec('%', '') });
      const keeper = make();
      for (let pass = 0; pass < 8; pass++) {
        await hold(keeper, '1.1.1.1=ok 1.1.1.2=ok 1.1.1.3=ok 1.1.1.4=ok');
        await clock.advance(5000);
      }
      assert.equal(writes(), 1, format);
    }
  });

  it('whose reload fails says so, and has it tried again with the next pass', async () => {
    const { make, hold, writes, commands, warnings } = bench();
    commands.outcome = { ok: false, reason: 'unbound-control: ended with code 1: connection refused' };
    const keeper = make();
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual(warnings(), [
      'zone-not-reloaded: the zone file /zone is new, but its reload failed: unbound-control: ended with code 1: connection refused',
    ]);
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual([writes(), commands.requests.length], [1, 2]);
    commands.outcome = { ok: true };
    await hold(keeper, '1.1.1.1=ok');
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual([warnings(), commands.requests.length], [[], 3]);
  });

  it('that cannot be written says so, is not reloaded, and is tried again', async () => {
    const { make, hold, files, commands, warnings } = bench();
    files.failure = 'ENOSPC';
    const keeper = make();
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual(warnings(), [
      'zone-not-written: the zone file /zone cannot be written: ENOSPC, the disk is full: free space; the old one stays',
    ]);
    assert.equal(commands.requests.length, 0);
    files.failure = undefined;
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual([warnings(), commands.requests.length], [[], 1]);
  });

  it('waits for no reload: what changes meanwhile is written after it, once', async () => {
    const { make, hold, commands, writes, files } = bench();
    let release = (): void => {};
    commands.delay = () => new Promise((resolve) => (release = resolve));
    const keeper = make();
    await hold(keeper, '1.1.1.1=ok');
    await hold(keeper, '1.1.1.2=ok');
    await hold(keeper, '1.1.1.3=ok');
    assert.deepEqual([writes(), commands.requests.length], [1, 1]);
    release();
    await settle();
    assert.deepEqual([writes(), commands.requests.length, files.content.get('/zone')], [2, 2, '1.1.1.3 a.example\n']);
    const closed = keeper.close();
    release();
    await closed;
  });

  it('that was written but not reloaded, as a kill between the two leaves it, is reloaded at the next start, once', async () => {
    const { make, hold, writes, commands, files } = bench();
    let killed = true;
    commands.delay = () => (killed ? new Promise(() => {}) : Promise.resolve());
    await hold(make(), '1.1.1.1=ok');
    assert.deepEqual([writes(), commands.requests.length, files.content.get('/.zone.loaded')], [1, 1, undefined]);
    killed = false;
    const second = make();
    await hold(second, '1.1.1.1=ok');
    await hold(second, '1.1.1.1=ok');
    await hold(make(), '1.1.1.1=ok');
    assert.deepEqual([writes(), commands.requests.length], [1, 2]);
  });

  it('whose reload has failed is reloaded at the next start, and by a command that is new', async () => {
    const { make, hold, writes, commands } = bench();
    commands.outcome = { ok: false, reason: 'not found' };
    await hold(make({ reload: ['wrong'] }), '1.1.1.1=ok');
    commands.outcome = { ok: true };
    await hold(make(), '1.1.1.1=ok');
    await hold(make(), '1.1.1.1=ok');
    await hold(make({ reload: ['another'] }), '1.1.1.1=ok');
    assert.deepEqual(
      commands.requests.map(({ argv }) => argv.join(' ')),
      ['wrong', 'reload', 'another'],
    );
    assert.equal(writes(), 1);
  });

  it('is reloaded without a record of it where none can be written', async () => {
    const { make, hold, commands, files, warnings } = bench();
    files.failing.add('/.zone.loaded');
    const keeper = make();
    await hold(keeper, '1.1.1.1=ok');
    await hold(keeper, '1.1.1.1=ok');
    assert.deepEqual([commands.requests.length, warnings()], [1, []]);
    await hold(make(), '1.1.1.1=ok');
    assert.equal(commands.requests.length, 2);
  });

  it('needs no reload command', async () => {
    const { make, hold, commands, files } = bench({ reload: undefined });
    await hold(make(), '1.1.1.1=ok');
    assert.deepEqual([commands.requests.length, files.content.get('/zone')], [0, '1.1.1.1 a.example\n']);
  });
});
