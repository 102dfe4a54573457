/** The module's side of a module that runs elsewhere, against a supervisor that a test speaks for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import type { Logger } from '../../../src/core/log.ts';
import type { BoundModule } from '../../../src/supervisor/bound-module.ts';
import { serveModule } from '../../../src/supervisor/module-server.ts';
import type { ModuleMessage, SupervisorMessage } from '../../../src/supervisor/remote-protocol.ts';
import type { LinkListener } from '../../../src/system/carrier.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';

function setUp(bind?: (log: Logger) => Promise<BoundModule>) {
  const module = new FakeModule('nbrpc');
  const clock = new FakeClock();
  const said: ModuleMessage[] = [];
  const closed: number[] = [];
  let listener: LinkListener | undefined;
  serveModule({
    bind: bind ?? (async () => module),
    clock,
    version: '1',
    link: {
      send: (message) => void said.push(structuredClone(message) as ModuleMessage),
      receive: (own) => {
        listener = own;
      },
      close: (exitCode) => void closed.push(exitCode),
    },
  });
  const tell = async (message: SupervisorMessage): Promise<void> => {
    listener?.message(message);
    await settle();
  };
  const inside = (): LinkListener => {
    assert.ok(listener);
    return listener;
  };
  const types = (): string[] => said.map((message) => message.type);
  return { module, clock, said, closed, tell, inside, types };
}

test('it says hello, runs the module, and ends after the stop', async () => {
  const { module, said, closed, tell } = setUp();
  assert.deepEqual(said, [{ type: 'hello', version: '1' }]);
  await tell({ type: 'start', config: { a: 1 } });
  await tell({ type: 'reload', id: 1, config: { a: 2 } });
  await tell({ type: 'ping', id: 2, detail: false });
  await tell({ type: 'stop', reason: 'reload' });
  await tell({ type: 'stop', reason: 'shutdown' });
  assert.deepEqual(module.calls, ['start {"a":1}', 'reload {"a":2}', 'stop reload']);
  const health = { ready: true, summary: 'nbrpc is well', warnings: [] };
  assert.deepEqual(said.slice(1), [
    { type: 'ready', health },
    { type: 'reloaded', id: 1, health },
    { type: 'pong', id: 2, health },
    { type: 'stopped' },
  ]);
  assert.deepEqual(closed, [0]);
});

test('a supervisor that is gone is a stop with what on_stop says', async () => {
  const { module, closed, tell, inside } = setUp();
  await tell({ type: 'start', config: {} });
  inside().gone();
  await settle();
  assert.equal(module.calls.at(-1), 'stop shutdown');
  assert.deepEqual(closed, [0]);
});

test('a supervisor that is gone ends a start under way, and a module that does not stop after eight seconds', async () => {
  const first = setUp();
  first.module.hangOnStart = true;
  await first.tell({ type: 'start', config: {} });
  first.inside().gone();
  await settle();
  assert.deepEqual([first.types(), first.closed], [['hello', 'stopped'], [0]]);
  const second = setUp();
  second.module.hangOnStop = true;
  await second.tell({ type: 'start', config: {} });
  second.inside().gone();
  await second.clock.advance(7999);
  assert.deepEqual(second.closed, []);
  await second.clock.advance(1);
  assert.deepEqual(second.closed, [1]);
});

test('a module that cannot be loaded or started is refused, and the side ends', async () => {
  const unloadable = setUp(async () => {
    throw new NetstewardError('broken', 'a file is missing', { remedy: 'Install again.' });
  });
  await unloadable.tell({ type: 'start', config: {} });
  const error = { code: 'broken', message: 'a file is missing', remedy: 'Install again.' };
  assert.deepEqual(unloadable.said.at(-1), { type: 'refused', error });
  assert.deepEqual(unloadable.closed, [1]);
  const unwilling = setUp();
  unwilling.module.startErrors = [new Error('no socket')];
  await unwilling.tell({ type: 'start', config: {} });
  assert.equal(unwilling.types().at(-1), 'refused');
  assert.deepEqual(unwilling.closed, [1]);
});

test('a module that is not well at its start is stopped before it is refused', async () => {
  const { module, closed, tell, types } = setUp();
  module.healthError = new Error('no health');
  await tell({ type: 'start', config: {} });
  assert.deepEqual(module.calls, ['start {}', 'stop restart']);
  assert.equal(types().at(-1), 'refused');
  assert.deepEqual(closed, [1]);
});

test('a ping before the module runs is answered without health, and a reload is refused', async () => {
  const { module, said, tell } = setUp();
  module.hangOnStart = true;
  await tell({ type: 'start', config: {} });
  await tell({ type: 'ping', id: 1, detail: true });
  await tell({ type: 'reload', id: 2, config: {} });
  assert.deepEqual(said.slice(1), [
    { type: 'pong', id: 1 },
    { type: 'reloaded', id: 2, error: { code: 'not-running', message: 'the module does not run' } },
  ]);
});

test('a crash, an end by itself, and memory nearly used up are told, and what is left waits for the stop', async () => {
  for (const [how, message] of [
    [({ module }: ReturnType<typeof setUp>) => module.crash(new Error('boom')), 'boom'],
    [({ module }: ReturnType<typeof setUp>) => module.end(), 'it ended by itself'],
    [({ inside }: ReturnType<typeof setUp>) => inside().failing(new Error('full')), 'full'],
  ] as const) {
    const side = setUp();
    await side.tell({ type: 'start', config: {} });
    how(side);
    await settle();
    const last = side.said.at(-1);
    assert.equal(last?.type === 'crashed' && last.error.message, message);
    assert.deepEqual(side.closed, []);
    await side.tell({ type: 'stop', reason: 'restart' });
    assert.deepEqual([side.types().at(-1), side.closed], ['stopped', [0]]);
  }
});

test('what nobody has caught ends the side at once', async () => {
  const { said, closed, tell, inside } = setUp();
  await tell({ type: 'start', config: {} });
  inside().uncaught('not even an error');
  assert.deepEqual(said.at(-1), { type: 'crashed', error: { message: 'not even an error' } });
  assert.deepEqual(closed, [1]);
});
