/** The nbrpc module with `in_use`, on fakes: what is used comes first, and hurries no others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeAddressSets } from '../../fakes/fake-address-sets.ts';
import { detailOf, FakeNbrpcHost } from '../../fakes/fake-nbrpc-host.ts';

const minute = 60_000;
const [used, idle] = ['9.9.9.9', '9.9.9.10'];

/** `more`: services beside the two, each with an address of its own. */
async function bench(table: Record<string, unknown>, more: readonly string[] = []) {
  const list = ['a.example', 'b.example', ...more.map((_, index) => `more${index}.example`)].join(' ');
  const host = new FakeNbrpcHost(list, { control: { services: ['control.example:https=200'] } });
  const { clock, resolver, probe } = host;
  more.forEach((address, index) => {
    resolver.answer(`more${index}.example`, address);
  });
  resolver.answer('control.example', '9.9.9.1');
  resolver.answer('a.example', used);
  resolver.answer('b.example', idle);
  const sets = new FakeAddressSets();
  // A reload of the sink closes one and opens another.
  host.openSets = () => {
    sets.closed = undefined;
    return sets;
  };
  const running = await host.start(table);
  await clock.advance(20 * minute);
  /** Checks of each address in an hour. */
  const anHour = async (): Promise<readonly [used: number, idle: number]> => {
    const before = probe.requests.length;
    await clock.advance(60 * minute);
    const asked = probe.requests.slice(before);
    const count = (address: string): number => asked.filter((request) => request.address === address).length;
    return [count(used), count(idle)];
  };
  return { host, clock, probe, sets, running, anHour };
}

describe('services in use', () => {
  it('are asked at least every two minutes, others as seldom as before', async () => {
    const { sets, running, anHour, clock } = await bench({ in_use: true });
    assert.deepEqual(sets.elements('listed4'), [idle, used].sort());
    const quiet = await anHour();
    assert.ok(
      quiet.every((checks) => checks >= 6 && checks <= 8),
      `${quiet}`,
    );
    sets.packets.set(used, 0);
    await clock.advance(minute);
    const busy = await anHour();
    assert.ok(busy[0] >= 30 && busy[0] <= 60, `${busy}`);
    assert.ok(busy[1] <= 8, `${busy}`);
    assert.equal(detailOf(running).inUse, 1);

    sets.packets.clear();
    await clock.advance(12 * minute);
    const after = await anHour();
    assert.ok(after[0] <= 8, `${after}`);
    assert.equal(detailOf(running).inUse, 0);
    await running.stop('shutdown');
    assert.equal(clock.waiting, 0);
  });

  it('that become so all at once are asked in an even stream, no more than the limit of them', async () => {
    const many = Array.from({ length: 250 }, (_, index) => `9.9.10.${index + 1}`);
    const { sets, running, clock, probe } = await bench({ in_use: true }, many);
    for (const address of many) sets.packets.set(address, 0);
    await clock.advance(20_000);
    assert.equal(detailOf(running).inUse, 200);
    for (let minutes = 0; minutes < 5; minutes += 1) {
      const before = probe.requests.length;
      await clock.advance(minute);
      const asked = probe.requests.slice(before).filter(({ address }) => address !== '9.9.9.1').length;
      // 200 every two minutes and 52 every nine; no stream is more than twice its mean.
      assert.ok(asked <= 2 * (200 / 2 + 52 / 9) + 1, `${asked} in a minute`);
    }
    const start = probe.requests.length;
    await clock.advance(20 * minute);
    const ofUsed = probe.requests.slice(start).filter(({ address }) => address.startsWith('9.9.10.')).length;
    assert.ok(ofUsed >= 200 * 10, `${ofUsed}`);
    await running.stop('shutdown');
  });

  it('that are blocked while they are used go around within minutes', async () => {
    const { sets, running, clock, probe } = await bench({ in_use: true });
    sets.packets.set(used, 0);
    await clock.advance(minute);
    probe.blocked('a.example');
    await clock.advance(4 * minute);
    assert.deepEqual(sets.elements('blocked4'), [used]);
    assert.deepEqual(sets.elements('listed4'), [idle, used].sort());
    await running.stop('shutdown');
  });

  it('are looked for from the reload on that asks for it, and no more after one that does not', async () => {
    const { sets, running, clock, anHour, host } = await bench({});
    sets.packets.set(used, 0);
    assert.equal(detailOf(running).inUse, undefined);
    assert.ok((await anHour())[0] <= 8);
    await running.reload(host.configOf({ in_use: true }));
    await clock.advance(minute);
    assert.equal(detailOf(running).inUse, 1);
    assert.ok((await anHour())[0] >= 30);
    await running.reload(host.configOf());
    await clock.advance(minute);
    assert.equal(detailOf(running).inUse, undefined);
    assert.ok((await anHour())[0] <= 8);
    await running.stop('shutdown');
  });

  it('cannot be told by an agent that does not answer: a warning says so, and all is checked as ever', async () => {
    const { sets, running, clock } = await bench({ in_use: true });
    sets.used = () => Promise.reject(new Error('there is no set seen4'));
    await clock.advance(minute);
    const { warnings } = running.health();
    assert.deepEqual(
      warnings?.map(({ code }) => code),
      ['use-unknown'],
    );
    await running.stop('shutdown');
  });
});

describe('connections that were not dropped', () => {
  it('are warned of until some were', async () => {
    const { sets, running } = await bench({ drop_connections: true });
    assert.deepEqual(running.health().warnings, []);
    sets.connections = { dropped: 0, problem: 'tracked connections cannot be listed (errno 22)' };
    const [warning] = running.health().warnings ?? [];
    assert.equal(warning?.code, 'connections-not-dropped');
    assert.match(warning?.text ?? '', /errno 22/);
    sets.connections = { dropped: 3 };
    assert.deepEqual(running.health().warnings, []);
    await running.stop('shutdown');
  });
});
