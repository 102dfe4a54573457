/** The Notifier port: what is told arrives, in order, at the fake and at a real datagram socket. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { notifyMessage, sdNotifier, silentNotifier, watchdogInterval } from '../../src/system/linux/sd-notify.ts';
import type { Notifier } from '../../src/system/ports.ts';
import { FakeNotifier } from '../fakes/fake-notifier.ts';

interface Subject {
  readonly notifier: Notifier;
  /** The next `count` messages, each as its assignments. */
  readonly next: (count: number) => Promise<readonly Readonly<Record<string, string>>[]>;
}

// Node has no unix datagram sockets, so the listener is Python: one JSON string a line for each datagram.
const listener = `
import json, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

async function realSubject(t: TestContext, address: string): Promise<Subject> {
  const child: ChildProcess = spawn('python3', ['-c', listener, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  assert.ok(child.stdout);
  const lines: Interface = createInterface(child.stdout);
  const iterator = lines[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value, 'bound');
  return {
    notifier: sdNotifier({ NOTIFY_SOCKET: address }),
    next: async (count) => {
      const messages: Readonly<Record<string, string>>[] = [];
      while (messages.length < count) {
        const { value, done } = await iterator.next();
        assert.equal(done, false, 'the listener has ended');
        const assignments = (JSON.parse(value ?? '') as string).split('\n').map((line) => line.split(/=(.*)/s, 2));
        messages.push(Object.fromEntries(assignments) as Record<string, string>);
      }
      return messages;
    },
  };
}

const subjects: readonly (readonly [string, (t: TestContext) => Promise<Subject>])[] = [
  [
    'fake',
    async () => {
      const notifier = new FakeNotifier();
      return { notifier, next: async (count) => notifier.told.splice(0, count) };
    },
  ],
  [
    'socket in a folder',
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'netsteward-notify-'));
      t.after(() => rmSync(folder, { recursive: true }));
      return realSubject(t, join(folder, 'notify'));
    },
  ],
  ['abstract socket', (t) => realSubject(t, `@netsteward-test-${process.pid}`)],
];

for (const [name, make] of subjects) {
  test(`${name}: every message arrives whole and in order`, async (t) => {
    const { notifier, next } = await make(t);
    notifier.notify({ READY: '1', STATUS: 'nbrpc: 3 of 120 rerouted → fine' });
    for (let count = 0; count < 20; count++) notifier.notify({ WATCHDOG: '1', N: String(count) });
    notifier.notify({ STOPPING: '1' });
    const messages = await next(22);
    assert.deepEqual({ ...messages[0] }, { READY: '1', STATUS: 'nbrpc: 3 of 120 rerouted → fine' });
    assert.deepEqual(
      messages.slice(1, 21).map((message) => message.N),
      Array.from({ length: 20 }, (_, index) => String(index)),
    );
    assert.deepEqual({ ...messages[21] }, { STOPPING: '1' });
  });
}

test('RELOADING arrives with the monotonic time that Type=notify-reload asks for', async (t) => {
  const { notifier, next } = await realSubject(t, `@netsteward-test-reload-${process.pid}`);
  const before = process.hrtime.bigint() / 1000n;
  notifier.notify({ RELOADING: '1' });
  const [message] = await next(1);
  const sent = BigInt(message?.MONOTONIC_USEC ?? '');
  assert.ok(sent >= before && sent <= process.hrtime.bigint() / 1000n);
});

test('a line feed in a value cannot begin another assignment', () => {
  assert.equal(notifyMessage({ STATUS: 'a\nREADY=1\x1b' }, 0n), 'STATUS=a READY=1 ');
});

test('without a usable $NOTIFY_SOCKET nobody is told, and nothing fails', () => {
  for (const NOTIFY_SOCKET of [undefined, '', 'relative', `/${'x'.repeat(200)}`, '@']) {
    const notifier = sdNotifier({ NOTIFY_SOCKET });
    assert.equal(notifier, silentNotifier);
    notifier.notify({ READY: '1' });
  }
});

test('a manager that is gone makes no error', () => {
  sdNotifier({ NOTIFY_SOCKET: '/nonexistent/notify' }).notify({ READY: '1' });
});

test('the watchdog is fed twice in the time that the manager waits, if it means this process', () => {
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '30000000' }, 7), 15_000);
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000);
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined);
  for (const WATCHDOG_USEC of [undefined, '', '0', '-1', 'x'])
    assert.equal(watchdogInterval({ WATCHDOG_USEC }, 7), undefined);
});
