/** The client that goes on: intervals, changes of addresses, failures, signals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoundOutcome } from '../../../src/dyndns/client-round.ts';
import { ClientWatch } from '../../../src/dyndns/client-watch.ts';
import type { AddressEvents, AddressListener } from '../../../src/system/address-ports.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const good: RoundOutcome = { sent: 1, failures: [] };
const bad: RoundOutcome = { sent: 0, failures: [{ target: 'ns', reason: 'no route' }] };

class Addresses implements AddressEvents {
  state: readonly string[] | Error = ['eth0 192.0.2.1/24'];
  listener: AddressListener | undefined;
  looks = 0;

  follow(listener: AddressListener) {
    this.listener = listener;
    return {
      close: async () => {
        this.listener = undefined;
      },
    };
  }

  async current(): Promise<readonly string[]> {
    this.looks += 1;
    if (this.state instanceof Error) throw this.state;
    return this.state;
  }

  change(...state: readonly string[]): void {
    this.state = state;
    this.listener?.touched();
  }
}

async function watching(options: { interval?: number; events?: boolean } = {}) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const addresses = new Addresses();
  const stop = new AbortController();
  const test = {
    clock,
    log,
    addresses,
    stop,
    /** Monotonic milliseconds of each round's beginning. */
    rounds: [] as number[],
    round: async (_signal: AbortSignal): Promise<RoundOutcome> => good,
  };
  const watch = new ClientWatch({
    clock,
    log,
    interval: options.interval,
    events: options.events === false ? undefined : addresses,
    round: (signal) => {
      test.rounds.push(clock.monotonic());
      return test.round(signal);
    },
  });
  const done = watch.run(stop.signal);
  await settle();
  return { ...test, test, watch, done };
}

test('a round comes at the start and after each interval', async () => {
  const { clock, rounds, stop, done } = await watching({ interval: 60_000 });
  await clock.advance(200_000);
  assert.deepEqual(rounds, [0, 60_000, 120_000, 180_000]);
  stop.abort();
  await done;
  assert.equal(clock.waiting, 0);
});

test('without an interval there are rounds for changes alone', async () => {
  const { clock, rounds, addresses, stop, done } = await watching();
  await clock.advance(86_400_000);
  assert.deepEqual(rounds, [0]);
  addresses.change('eth0 192.0.2.2/24');
  await clock.advance(86_400_000);
  assert.deepEqual(rounds, [0, 86_402_000]);
  stop.abort();
  await done;
});

test('a change of addresses is told 2 s after its last event, and the interval begins anew', async () => {
  const { clock, rounds, addresses, log, stop, done } = await watching({ interval: 60_000 });
  await clock.advance(10_000);
  addresses.change();
  await clock.advance(1500);
  addresses.change('ppp0 198.51.100.7/32');
  await clock.advance(1500);
  addresses.change('ppp0 198.51.100.7/32', 'default ppp0');
  await clock.advance(70_000);
  assert.deepEqual(rounds, [0, 15_000, 75_000]);
  assert.deepEqual(
    log.of('addresses-changed').map(({ fields }) => fields),
    [{ gone: ['eth0 192.0.2.1/24'], come: ['ppp0 198.51.100.7/32', 'default ppp0'] }],
  );
  stop.abort();
  await done;
});

test('events that never cease are looked into after 10 s', async () => {
  const { clock, rounds, addresses, stop, done } = await watching();
  addresses.change('eth0 192.0.2.2/24');
  for (let second = 0; second < 15; second++) {
    await clock.advance(1000);
    addresses.listener?.touched();
  }
  assert.deepEqual(rounds, [0, 10_000]);
  stop.abort();
  await done;
});

test('events that change nothing send nothing', async () => {
  const { clock, rounds, addresses, stop, done } = await watching();
  for (let minute = 0; minute < 10; minute++) {
    addresses.listener?.touched();
    await clock.advance(60_000);
  }
  assert.deepEqual(rounds, [0]);
  assert.equal(addresses.looks, 11);
  stop.abort();
  await done;
});

test('an address that goes and comes back within the quiet time is no change', async () => {
  const { clock, rounds, addresses, stop, done } = await watching();
  addresses.change();
  await clock.advance(1000);
  addresses.change('eth0 192.0.2.1/24');
  await clock.advance(60_000);
  assert.deepEqual(rounds, [0]);
  stop.abort();
  await done;
});

test('a change ends the round that is under way', async () => {
  const { clock, rounds, addresses, test, stop, done } = await watching({ interval: 1000 });
  test.round = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  await clock.advance(1000);
  addresses.change('eth0 192.0.2.2/24');
  await clock.advance(500);
  test.round = async () => good;
  await clock.advance(1900);
  assert.deepEqual(rounds, [0, 1000, 3000]);
  stop.abort();
  await done;
});

test('what was not sent is sent again after 5, 10, 20 … seconds, at most the interval, until it is', async () => {
  const { clock, rounds, test, log, stop, done } = await watching({ interval: 30_000 });
  test.round = async () => bad;
  await clock.advance(130_000);
  assert.deepEqual(rounds, [0, 30_000, 35_000, 45_000, 65_000, 95_000, 125_000]);
  assert.deepEqual(log.of('destination-not-reached')[0]?.fields, { target: 'ns', reason: 'no route' });
  test.round = async () => good;
  await clock.advance(60_000);
  assert.deepEqual(rounds.slice(7), [155_000, 185_000]);
  stop.abort();
  await done;
});

test('addresses that cannot be read are told, the interval goes on, and the first that are read are a change', async () => {
  const { clock, rounds, addresses, log, stop, done } = await watching({ interval: 60_000 });
  addresses.state = new Error('ip is not installed');
  addresses.listener?.touched();
  await clock.advance(61_000);
  assert.deepEqual(rounds, [0, 60_000]);
  assert.deepEqual(log.of('address-changes-not-seen')[0]?.fields, { reason: 'ip is not installed' });
  addresses.change('eth0 192.0.2.9/24');
  await clock.advance(3000);
  assert.deepEqual(rounds, [0, 60_000, 63_000]);
  stop.abort();
  await done;
});

test('sendNow sends at once, and without events nothing is followed', async () => {
  const { clock, rounds, watch, addresses, stop, done } = await watching({ interval: 60_000, events: false });
  assert.equal(addresses.listener, undefined);
  await clock.advance(10_000);
  watch.sendNow();
  await clock.advance(60_000);
  assert.deepEqual(rounds, [0, 10_000, 70_000]);
  stop.abort();
  await done;
});

test('a stop during a round ends it, and nothing is followed any more', async () => {
  const { clock, rounds, test, addresses, stop, done } = await watching({ interval: 1000 });
  test.round = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  await clock.advance(1000);
  addresses.listener?.touched();
  stop.abort();
  await done;
  assert.deepEqual(rounds, [0, 1000]);
  assert.equal(addresses.listener, undefined);
  assert.equal(clock.waiting, 0);
});

test('what a round fails with ends the watch', async () => {
  const { clock, test, done } = await watching({ interval: 1000 });
  test.round = () => Promise.reject(new Error('broken'));
  const end = assert.rejects(done, /broken/);
  await clock.advance(1000);
  await end;
});
