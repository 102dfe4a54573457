/** Which addresses got another route, and that connections to them are dropped after it, without holding anybody up. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConnectionDrops, type DropReport } from '../../../src/system/linux/nft-connection-drops.ts';
import { RouteChanges } from '../../../src/system/linux/nft-route-changes.ts';
import type { ConnectionDropper } from '../../../src/system/linux/tracked-connections.ts';

describe('addresses that got another route', () => {
  const changes = (): RouteChanges => new RouteChanges(['blocked4-a', 'blocked4-b', 'drop4']);

  test('are those that came into a set of a route, left one, or went from one to another', () => {
    const routes = changes();
    routes.note(
      new Map([
        ['blocked4-a', { add: ['192.0.2.1', '192.0.2.3'], delete: ['192.0.2.2'] }],
        ['blocked4-b', { add: [], delete: ['192.0.2.3'] }],
      ]),
    );
    assert.deepEqual([...routes.take()].sort(), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    assert.equal(routes.take().size, 0);
  });

  test('are none of those that are only listed', () => {
    const routes = changes();
    routes.note(new Map([['listed4', { add: ['192.0.2.1'], delete: ['192.0.2.2'] }]]));
    assert.equal(routes.take().size, 0);
  });

  test('wait until the kernel holds what is wanted, however many changes that takes', () => {
    const routes = changes();
    routes.note(new Map([['drop4', { add: ['192.0.2.1'], delete: [] }]]));
    routes.note(new Map([['drop4', { add: ['192.0.2.2'], delete: [] }]]));
    assert.deepEqual([...routes.take()].sort(), ['192.0.2.1', '192.0.2.2']);
  });
});

class FakeDropper implements ConnectionDropper {
  readonly asked: (readonly string[])[] = [];
  failure: Error | undefined;
  closed = 0;
  #next: (() => void) | undefined;

  /** While true, nothing ends until release(). */
  held = false;

  async drop(addresses: ReadonlySet<string>): Promise<number> {
    this.asked.push([...addresses].sort());
    if (this.held) await new Promise<void>((resolve) => (this.#next = resolve));
    if (this.failure !== undefined) throw this.failure;
    return addresses.size * 2;
  }

  release(): void {
    this.#next?.();
  }

  close(): void {
    this.closed += 1;
  }
}

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start(openFailure?: () => Error | undefined) {
  const dropper = new FakeDropper();
  const reports: DropReport[] = [];
  let opened = 0;
  const drops = new ConnectionDrops({
    open: async () => {
      opened += 1;
      const failure = openFailure?.();
      if (failure !== undefined) throw failure;
      return dropper;
    },
    tell: (report) => reports.push(report),
  });
  return { dropper, reports, drops, opened: () => opened };
}

describe('connections to them', () => {
  test('are dropped, and it is told how many; nothing is opened before', async () => {
    const { drops, dropper, reports, opened } = start();
    drops.moved(new Set());
    await turns();
    assert.equal(opened(), 0);
    drops.moved(new Set(['192.0.2.1']));
    await turns();
    assert.deepEqual(dropper.asked, [['192.0.2.1']]);
    assert.deepEqual(reports, [{ addresses: 1, dropped: 2 }]);
    await drops.close();
    assert.equal(dropper.closed, 1);
  });

  test('that come while some are being dropped go together afterwards', async () => {
    const { drops, dropper } = start();
    dropper.held = true;
    drops.moved(new Set(['192.0.2.1']));
    await turns();
    drops.moved(new Set(['192.0.2.2']));
    drops.moved(new Set(['192.0.2.3', '192.0.2.2']));
    await turns();
    dropper.held = false;
    dropper.release();
    await drops.close();
    assert.deepEqual(dropper.asked, [['192.0.2.1'], ['192.0.2.2', '192.0.2.3']]);
  });

  test('that cannot be dropped are told of, and the next ones are tried on a new socket', async () => {
    const { drops, dropper, reports, opened } = start();
    dropper.failure = new Error('no such module');
    drops.moved(new Set(['192.0.2.1']));
    await turns();
    dropper.failure = undefined;
    drops.moved(new Set(['192.0.2.2']));
    await turns();
    assert.deepEqual(reports, [
      { addresses: 1, problem: 'no such module' },
      { addresses: 1, dropped: 2 },
    ]);
    assert.equal(opened(), 2);
    await drops.close();
  });

  test('stay where no socket can be had, and that is told of', async () => {
    const { drops, reports } = start(() => new Error('koffi is missing'));
    drops.moved(new Set(['192.0.2.1']));
    await drops.close();
    assert.deepEqual(reports, [{ addresses: 1, problem: 'koffi is missing' }]);
  });

  test('are left alone after the end', async () => {
    const { drops, dropper } = start();
    await drops.close();
    drops.moved(new Set(['192.0.2.1']));
    await turns();
    assert.deepEqual(dropper.asked, []);
  });
});
