/** The supervisor's side of a module that runs elsewhere, against a module's side that a test speaks for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { parseConfiguration } from '../../../src/supervisor/config.ts';
import { startRemote } from '../../../src/supervisor/remote-module.ts';
import type { ModuleMessage } from '../../../src/supervisor/remote-protocol.ts';
import { Supervisor } from '../../../src/supervisor/supervisor.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';
import { FakeNotifier } from '../../fakes/fake-notifier.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { Other } from './other-side.ts';

/** Stands still for an hour, and then runs once what has become due: as timers do when a machine or a container wakes up. */
class FrozenClock implements Clock {
  #now = 0;
  #waiting: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, action: () => void) {
    const entry = { at: this.#now + ms, action };
    this.#waiting.push(entry);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      },
    };
  }

  hour(): void {
    this.#now += 3_600_000;
    const due = this.#waiting.filter(({ at }) => at <= this.#now);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#now);
    for (const { action } of due) action();
  }
}

const logged = (level: 'debug' | 'info', event: string): ModuleMessage => ({
  type: 'log',
  lines: [{ level, event, fields: {} }],
});

const health = { ready: true, summary: 'well', warnings: [] };

function setUp() {
  const [other, clock, log] = [new Other(), new FakeClock(), new MemoryLog()];
  const options = {
    name: 'nbrpc',
    open: other.open,
    clock,
    log,
    version: '1',
    pingInterval: 10_000,
    hangLimit: 30_000,
  } as const;
  const start = (config: unknown, signal = new AbortController().signal) => startRemote(options, config, signal);
  return { other, clock, log, start };
}

async function running() {
  const { other, clock, log, start } = setUp();
  const starting = start({ a: 1 });
  other.say({ type: 'hello', version: '1' });
  other.say({ type: 'ready', health });
  return { other, clock, log, module: await starting };
}

test('the configuration goes out when the other side is there, and the module runs when it says so', async () => {
  const { other, start } = setUp();
  let runs = false;
  const starting = start({ a: 1 }).then((module) => {
    runs = true;
    return module;
  });
  await settle();
  assert.deepEqual(other.heard, []);
  other.say({ type: 'hello', version: '1' });
  assert.deepEqual(other.heard, [{ type: 'start', config: { a: 1 } }]);
  await settle();
  assert.equal(runs, false);
  other.say({ type: 'ready', health });
  assert.equal((await starting).health().summary, 'well');
});

test('a side that ends before it is ready rejects the start with its reason, and a start that was aborted begins nothing', async () => {
  const { other, clock, start } = setUp();
  const starting = start({});
  other.say({ type: 'hello', version: '1' });
  other.end('its thread ended with exit code 1');
  await assert.rejects(starting, /^Error: its thread ended with exit code 1$/);
  assert.equal(clock.waiting, 0);
  await assert.rejects(start({}, AbortSignal.abort(new Error('too late'))), /too late/);
  assert.equal(other.heard.length, 1);
});

test('a refused start waits for the end of the other side, and ends it where it does not come', async () => {
  const { other, clock, start } = setUp();
  let over = false;
  const starting = assert.rejects(start({}), /no set b4/).then(() => {
    over = true;
  });
  other.say({ type: 'hello', version: '1' });
  other.say({ type: 'refused', error: { code: 'set-missing', message: 'no set b4' } });
  await clock.advance(8999);
  assert.deepEqual([over, other.killed], [false, 0]);
  await clock.advance(1);
  await starting;
  assert.equal(other.killed, 1);
  assert.equal(clock.waiting, 0);
});

test('an aborted start is asked to stop, then ended, and rejects with the reason of the abort when nothing is left', async () => {
  const { other, clock, start } = setUp();
  const abort = new AbortController();
  const starting = assert.rejects(start({}, abort.signal), /superseded/);
  other.say({ type: 'hello', version: '1' });
  abort.abort(new Error('superseded'));
  assert.deepEqual(other.last('stop'), { type: 'stop', reason: 'restart' });
  await clock.advance(9000);
  await starting;
  assert.equal(other.killed, 1);
  assert.equal(clock.waiting, 0);
});

test('one ping an interval and nothing else wakes a module that is idle', async () => {
  const { other, clock } = await running();
  other.heard.length = 0;
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(10_000);
    other.answer();
  }
  assert.equal(other.heard.length, 60);
  assert.ok(other.heard.every((message) => message.type === 'ping' && !message.detail));
  assert.equal(clock.waiting, 1);
  assert.equal(other.killed, 0);
});

test('what it tells its log is followed by one question a second, and an answer to a reload says how it is', async () => {
  const { other, clock, module } = await running();
  other.heard.length = 0;
  for (let line = 0; line < 5; line++) other.say(logged('info', 'pass'));
  other.say(logged('debug', 'checked'));
  await clock.advance(999);
  assert.equal(other.heard.length, 0);
  await clock.advance(1);
  assert.deepEqual(
    other.heard.map((message) => message.type),
    ['ping'],
  );
  other.answer('5 of 5');
  assert.equal(module.health().summary, '5 of 5');
  other.say(logged('debug', 'checked'));
  await clock.advance(2000);
  assert.equal(other.heard.length, 1);
  const reloading = module.reload({});
  other.say({ type: 'reloaded', id: other.last('reload')?.id, health: { ...health, summary: 'new' } });
  await reloading;
  assert.equal(module.health().summary, 'new');
});

test('a health is what was last said, and tells of a silence', async () => {
  const { other, clock, module } = await running();
  await clock.advance(10_000);
  other.answer('3 of 4');
  assert.equal(module.health().summary, '3 of 4');
  await clock.advance(10_000 + 1999);
  assert.equal(module.health().summary, '3 of 4');
  await clock.advance(1);
  assert.equal(module.health().summary, '3 of 4; no answer for 2s');
  other.answer('4 of 4');
  assert.equal(module.health().summary, '4 of 4');
});

test('a refresh brings the whole picture, which a short answer keeps; those who ask at once share one question', async () => {
  const { other, module, clock } = await running();
  other.heard.length = 0;
  const both = Promise.all([module.refresh?.(), module.refresh?.()]);
  assert.equal(other.heard.length, 1);
  assert.equal(other.last('ping')?.detail, true);
  other.answer('fresh', { hosts: 1 });
  await both;
  assert.deepEqual(module.health().detail, { hosts: 1 });
  await clock.advance(10_000);
  other.answer('later');
  assert.deepEqual([module.health().summary, module.health().detail], ['later', { hosts: 1 }]);
  const third = module.refresh?.();
  other.answer('again', { hosts: 2 });
  await third;
  assert.deepEqual(module.health().detail, { hosts: 2 });
});

test('a refresh without an answer ends after two seconds, and the hang is counted from its question', async () => {
  const { other, module, clock } = await running();
  const done = assert.rejects(module.done, { code: 'module-hangs' });
  let over = false;
  const refreshing = module.refresh?.().then(() => {
    over = true;
  });
  await clock.advance(1999);
  assert.equal(over, false);
  await clock.advance(1);
  await refreshing;
  await clock.advance(27_999);
  assert.equal(other.killed, 0);
  await clock.advance(1);
  assert.equal(other.killed, 1);
  await done;
});

test('an answer that comes late, within the limit, saves the module', async () => {
  const { other, clock } = await running();
  await clock.advance(10_000 + 29_999);
  assert.equal(other.heard.filter((message) => message.type === 'ping').length, 1);
  other.answer();
  await clock.advance(5000);
  assert.equal(other.killed, 0);
});

test('an hour in which both stood still is not held against the module: just one step of the limit is over', async () => {
  const other = new Other();
  const clock = new FrozenClock();
  const options = { name: 'nbrpc', open: other.open, log: new MemoryLog(), version: '1' } as const;
  const limits = { clock, pingInterval: 10_000, hangLimit: 30_000 };
  const starting = startRemote({ ...options, ...limits }, {}, new AbortController().signal);
  other.say({ type: 'hello', version: '1' });
  other.say({ type: 'ready', health });
  await starting;
  // The ping goes out; and after each hour its timer is due before an answer can be read.
  clock.hour();
  for (let hours = 1; hours <= 4; hours++) clock.hour();
  assert.equal(other.killed, 0);
  other.answer();
  clock.hour();
  for (let hours = 1; hours <= 4; hours++) clock.hour();
  assert.equal(other.killed, 0);
  clock.hour();
  assert.equal(other.killed, 1);
});

test('what nobody understands ends the module, with a reason', async () => {
  for (const message of [
    { type: 'reday' },
    { type: 7 },
    { type: 'pong', id: 'x' },
    { type: 'log', lines: [{ level: 'loud', event: 'x', fields: {} }] },
    { type: 'log', level: 'info', event: 'x', fields: {} },
    { type: 'ready', health: { summary: 1 } },
  ]) {
    const { other, module } = await running();
    other.say(message);
    await assert.rejects(module.done, /it sent a message that nobody understands: /);
    assert.equal(other.killed, 1);
  }
});

test('a reload is answered by its own answer, and by the end of the module', async () => {
  const { other, module } = await running();
  const [first, second] = [module.reload({ a: 2 }), module.reload({ a: 3 })];
  const [a, b] = other.heard.filter((message) => message.type === 'reload').map((message) => message.id);
  assert.ok(a !== undefined && b !== undefined);
  other.say({ type: 'reloaded', id: b, error: { message: 'no' } });
  other.say({ type: 'reloaded', id: a });
  await first;
  await assert.rejects(second, /^Error: no$/);
  const third = assert.rejects(module.reload({}), /cut off/);
  other.end('cut off');
  await third;
  await assert.rejects(module.done, /cut off/);
});

test('a module that is killed while it stops is told by stop, and done counts as asked for', async () => {
  const { other, clock, module } = await running();
  other.diesWhenKilled = false;
  const stopping = assert.rejects(module.stop('shutdown'), /it did not stop within 9s/);
  await clock.advance(9000);
  assert.equal(other.killed, 1);
  other.end('killed');
  await stopping;
  await module.done;
});

test('a failure of the stop itself is told by stop', async () => {
  const { other, module } = await running();
  const stopping = assert.rejects(module.stop('shutdown'), /nft does not answer/);
  other.say({ type: 'stopped', error: { message: 'nft does not answer' } });
  other.end('it ended with exit code 1');
  await stopping;
});

async function supervised() {
  const { other, clock, log, start } = setUp();
  const registry = new Map([['nbrpc', async () => Object.assign(new FakeModule('nbrpc'), { start })] as const]);
  const source = { file: 'n.toml', overrides: [], workingDirectory: '/' };
  const load = () => parseConfiguration('[nbrpc]\n', source, registry);
  const notifier = new FakeNotifier();
  const supervisor = new Supervisor(await load(), {
    clock,
    log,
    notifier,
    watchdogInterval: 15_000,
    load,
    applyGeneral: () => undefined,
    version: '1',
    pid: 42,
    configFile: 'n.toml',
  });
  supervisor.start();
  await settle();
  const begin = async (): Promise<void> => {
    other.say({ type: 'hello', version: '1' });
    other.say({ type: 'ready', health });
    await settle();
  };
  await begin();
  return { other, clock, supervisor, notifier, begin };
}

test('a module that hangs is started again by the supervisor, which says why and goes on feeding the watchdog', async () => {
  const { other, clock, supervisor, notifier, begin } = await supervised();
  assert.equal(supervisor.status().ready, true);
  await clock.advance(10_000 + 30_000);
  assert.equal(other.killed, 1);
  assert.match(
    supervisor.status().warnings[0]?.text ?? '',
    /^module nbrpc ended: it hangs: no answer for 30s \(Look what holds it: .*\); it starts again/,
  );
  await clock.advance(1000);
  await begin();
  assert.deepEqual([supervisor.status().ready, supervisor.status().warnings], [true, []]);
  assert.equal(notifier.valuesOf('WATCHDOG').length, 2);
});

test('a fresh status asks each module first; one that does not answer is shown as it last was', async () => {
  const { other, clock, supervisor } = await supervised();
  const asked = supervisor.freshStatus();
  other.answer('of now', { hosts: 3 });
  const [module] = (await asked).modules;
  assert.deepEqual([module?.health?.summary, module?.health?.detail], ['of now', { hosts: 3 }]);
  const second = supervisor.freshStatus();
  await clock.advance(2000);
  assert.equal((await second).modules[0]?.health?.summary, 'of now; no answer for 2s');
});
