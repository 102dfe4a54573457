/** The update command: never beside itself, once for a burst, told what changed, tried again until it works. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Change, Publisher, type PublisherOptions } from '../../../src/dyndns/publisher.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const change = (name: string, from: string, to: string): Change => ({
  zone: '/zone',
  keyId: 'k',
  family: 4,
  name,
  from,
  to,
});

function setUp(more: Partial<PublisherOptions> = {}) {
  const clock = new FakeClock();
  const commands = new FakeCommands();
  const told: string[] = [];
  let open: (() => void) | undefined;
  const held = (): void => {
    commands.delay = () =>
      new Promise((resolve) => {
        open = resolve;
      });
  };
  const publisher = new Publisher({
    clock,
    log: new MemoryLog(),
    commands,
    argv: ['make', '-C', '/root'],
    timeout: 1000,
    onPublished: () => told.push('published'),
    onFailure: (reason) => told.push(reason),
    ...more,
  });
  return { clock, commands, told, publisher, held, release: () => open?.() };
}

test('the command has the facts of the change in its environment', async () => {
  const { commands, publisher, told } = setUp();
  publisher.publish([change('a.net', '192.0.2.1', '192.0.2.2'), change('b.net', '192.0.2.1', '192.0.2.2')]);
  await settle();
  assert.deepEqual(commands.requests, [
    {
      argv: ['make', '-C', '/root'],
      timeout: 1000,
      env: {
        NETSTEWARD_ZONE: '/zone',
        NETSTEWARD_NAME: 'b.net',
        NETSTEWARD_OLD_ADDRESS: '192.0.2.1',
        NETSTEWARD_NEW_ADDRESS: '192.0.2.2',
        NETSTEWARD_KEY_ID: 'k',
        NETSTEWARD_NAMES: 'a.net b.net',
        NETSTEWARD_CHANGES: 'a.net 192.0.2.1 192.0.2.2 k\nb.net 192.0.2.1 192.0.2.2 k',
      },
    },
  ]);
  assert.deepEqual(told, ['published']);
  assert.ok(publisher.idle);
});

test('all that comes during a run is one more run, with the first old address and the last new one', async () => {
  const { commands, publisher, told, held, release } = setUp();
  held();
  publisher.publish([change('x.net', '192.0.2.1', '192.0.2.2')]);
  for (let last = 3; last < 100; last += 1) {
    publisher.publish([change('a.net', `192.0.2.${last - 1}`, `192.0.2.${last}`)]);
  }
  await settle();
  assert.equal(commands.requests.length, 1);
  release();
  await settle();
  assert.deepEqual(told, []);
  assert.equal(commands.requests.length, 2);
  assert.equal(commands.requests[1]?.env?.NETSTEWARD_CHANGES, 'a.net 192.0.2.2 192.0.2.99 k');
  release();
  await settle();
  assert.equal(commands.requests.length, 2);
  assert.deepEqual(told, ['published']);
});

test('a failure is told and tried again with longer pauses, until it works', async () => {
  const { clock, commands, publisher, told } = setUp();
  commands.outcome = { ok: false, reason: 'make: ended with code 111' };
  publisher.publish([change('a.net', '192.0.2.1', '192.0.2.2')]);
  await settle();
  assert.equal(publisher.lastError, 'make: ended with code 111');
  await clock.advance(999);
  assert.equal(commands.requests.length, 1);
  await clock.advance(1);
  assert.equal(commands.requests.length, 2);
  await clock.advance(1999);
  assert.equal(commands.requests.length, 2);
  commands.outcome = { ok: true };
  await clock.advance(1);
  assert.equal(commands.requests.length, 3);
  assert.equal(commands.requests[2]?.env?.NETSTEWARD_NAMES, 'a.net');
  assert.deepEqual(told.at(-1), 'published');
  assert.equal(publisher.lastError, undefined);
  assert.equal(clock.waiting, 0);
});

test('what the authoritative server does not serve is not published', async () => {
  let served: string | undefined = '127.0.0.1 does not serve a.net A';
  const { clock, commands, publisher, told } = setUp({ verify: () => Promise.resolve(served) });
  publisher.publish([change('a.net', '192.0.2.1', '192.0.2.2')]);
  await settle();
  assert.deepEqual(told, ['127.0.0.1 does not serve a.net A']);
  served = undefined;
  await clock.advance(1000);
  assert.equal(commands.requests.length, 2);
  assert.deepEqual(told.at(-1), 'published');
});

test('once stopped it starts nothing', async () => {
  const { clock, commands, publisher } = setUp();
  commands.outcome = { ok: false, reason: 'no' };
  publisher.publish([]);
  await settle();
  await publisher.stop();
  publisher.publish([]);
  await clock.advance(3_600_000);
  assert.equal(commands.requests.length, 1);
  assert.equal(clock.waiting, 0);
});

test('a name without end keeps neither the command from being run nor the other names from being told, and none is cut', async () => {
  const { commands, publisher } = setUp();
  const long = 'x'.repeat(60_000);
  publisher.publish(
    ['a.net', `${long}1`, `${long}2`, 'x'.repeat(200_000)].map((name) => change(name, '192.0.2.1', '192.0.2.2')),
  );
  await settle();
  const env = commands.requests[0]?.env ?? {};
  assert.equal(env.NETSTEWARD_NAMES, `a.net ${long}1`);
  assert.equal(env.NETSTEWARD_CHANGES?.split('\n').length, 2);
  assert.equal(env.NETSTEWARD_NAME, '');
  // MAX_ARG_STRLEN of execve(2).
  for (const [name, value] of Object.entries(env)) assert.ok(name.length + value.length < 131_072, name);
});
