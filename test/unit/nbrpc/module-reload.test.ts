/** A reload of nbrpc: what stays, what moves, and that one which is refused changes nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { detailOf } from '../../fakes/fake-nbrpc-host.ts';
import { Bench, hour } from './original-bench.ts';

describe('a reload of nbrpc', () => {
  it('takes new lists and timers without touching the sets', async () => {
    const bench = new Bench('a.example=na');
    bench.files.put('/b.list', 'b.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    bench.resolver.answer('b.example', '9.9.9.10');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(bench.configOf({ check_lists: ['/a.list', '/b.list'], timers: { pass: '1m' } }));
    await bench.clock.advance(0);
    assert.deepEqual(bench.sets.held.slice(-2), ['blocked4:9.9.9.9 blocked6:', 'blocked4:9.9.9.10,9.9.9.9 blocked6:']);
    assert.equal(bench.opened.length, 1);
    assert.equal(bench.sets.closed, undefined);
    assert.equal(detailOf(running).nextPass, bench.clock.now() + 60_000);
    await running.stop('shutdown');
  });

  it('moves to other sets: fills them first, then empties the old ones', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(bench.configOf({ sets: { blocked4: 'mine' } }));
    assert.equal(bench.opened.length, 2);
    assert.deepEqual([bench.opened[0]?.closed, bench.sets.held], ['flush', ['mine:9.9.9.9']]);
    await running.stop('shutdown');
  });

  it('that is refused leaves everything as it was', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    bench.nextFailure = new Error('no such set');
    await assert.rejects(
      running.reload(bench.configOf({ state: '/other.db', sets: { blocked4: 'mine' } })),
      /no such set/,
    );
    assert.deepEqual([bench.opened[0]?.closed, bench.opened[1]?.closed, bench.store.opened], [undefined, 'flush', 1]);
    await assert.rejects(running.reload(bench.configOf({ state: '/nowhere/x.db' })), { code: 'state-file-unusable' });
    await assert.rejects(running.reload(bench.configOf({ check: { ca_file: '/none' } })), {
      code: 'ca-file-unreadable',
    });
    bench.resolver.answer('a.example', '9.9.9.9', '9.9.9.11');
    await bench.clock.advance(hour);
    assert.equal(bench.opened[0]?.held.at(-1), 'blocked4:9.9.9.11,9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });

  it('that changes on_stop tells the sets, which outlive a sudden end, and is obeyed at the stop', async () => {
    const bench = new Bench();
    const running = await bench.start({ on_stop: 'keep' });
    await running.reload(bench.configOf({ on_stop: 'flush' }));
    assert.deepEqual([bench.opened.length, bench.sets.onStop, bench.sets.closed], [1, 'flush', undefined]);
    await running.reload(bench.configOf({ on_stop: 'keep', sets: { blocked4: 'mine' } }));
    assert.deepEqual([bench.opened.length, bench.sets.onStop], [2, 'keep']);
    await running.stop('shutdown');
    assert.equal(bench.sets.closed, 'keep');
  });

  it('of the settings of its own table hands the table over, and takes it back when that is refused', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(bench.configOf({ table: { mark: 0x20000, mask: 0x20000 } }));
    assert.deepEqual(
      [bench.opened.length, bench.opened[0]?.closed, bench.sets.held],
      [2, 'keep', ['blocked4:9.9.9.9 blocked6:']],
    );
    bench.nextFailure = new Error('refused');
    const refused = running.reload(bench.configOf({ table: { mark: 0x40000, mask: 0x40000 } }));
    await assert.rejects(refused, /refused/);
    bench.nextFailure = undefined;
    assert.equal(bench.opened.length, 4);
    assert.deepEqual(bench.sets.sink.kind === 'table' && bench.sets.sink.table.mark, 0x20000);
    await running.stop('shutdown');
  });

  it('moves to another state file', async () => {
    const bench = new Bench('a.example=na');
    bench.resolver.answer('a.example', '9.9.9.9');
    const running = await bench.start();
    await bench.clock.advance(0);
    await running.reload(bench.configOf({ state: '/other.db' }));
    assert.equal(bench.sets.held.at(-1), 'blocked4: blocked6:');
    assert.equal(bench.store.opened, 1);
    await bench.clock.advance(0);
    assert.equal(bench.sets.held.at(-1), 'blocked4:9.9.9.9 blocked6:');
    await running.stop('shutdown');
  });
});
