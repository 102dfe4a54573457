/** Lines of a module's log on their way to the supervisor: what goes at once, what goes together, and in which order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '../../../src/core/log.ts';
import { LogBatch } from '../../../src/supervisor/log-batch.ts';
import { serveModule } from '../../../src/supervisor/module-server.ts';
import { remoteLog } from '../../../src/supervisor/remote-log.ts';
import type { ModuleMessage, SupervisorMessage } from '../../../src/supervisor/remote-protocol.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';

/** Messages as they cross: events of their lines. */
function setUp() {
  const clock = new FakeClock();
  const sent: ModuleMessage[] = [];
  const batch = new LogBatch(clock, (message) => void sent.push(structuredClone(message)));
  const events = () => sent.map((message) => (message.type === 'log' ? message.lines.map(({ event }) => event) : []));
  return { clock, sent, batch, events, log: remoteLog((line) => batch.add(line)) };
}

test('a line that comes alone goes at once, and wakes nobody later', async () => {
  const { clock, events, log } = setUp();
  log.debug('one');
  assert.deepEqual(events(), [['one']]);
  assert.equal(clock.waiting, 0);
  await clock.advance(50);
  log.debug('two');
  assert.deepEqual(events(), [['one'], ['two']]);
  assert.equal(clock.waiting, 0);
});

test('debugging lines of a burst go together, fifty milliseconds after the last that went', async () => {
  const { clock, events, log } = setUp();
  log.debug('one');
  await clock.advance(20);
  log.debug('two');
  await clock.advance(20);
  log.debug('three');
  await clock.advance(9);
  assert.deepEqual(events(), [['one']]);
  await clock.advance(1);
  assert.deepEqual(events(), [['one'], ['two', 'three']]);
  log.debug('four');
  assert.deepEqual(events().length, 2);
  await clock.advance(50);
  assert.deepEqual(events().at(-1), ['four']);
  assert.equal(clock.waiting, 0);
});

test('anything but a debugging line goes at once, and takes those before it along', () => {
  const { clock, events, log } = setUp();
  log.debug('one');
  log.debug('two');
  log.warn('three');
  log.info('four');
  log.error('five');
  assert.deepEqual(events(), [['one'], ['two', 'three'], ['four'], ['five']]);
  assert.equal(clock.waiting, 0);
});

test('no message grows without bound', () => {
  const { events, log } = setUp();
  for (let line = 0; line < 1000; line++) log.debug(`${line}`);
  assert.deepEqual(
    events().map(({ length }) => length),
    [1, 200, 200, 200, 200],
  );
});

test('a field that cannot cross costs neither its line nor those beside it', async () => {
  const { clock, sent, log } = setUp();
  log.debug('first');
  log.debug('good', { a: 1 });
  log.debug('bad', { what: () => 0, b: 2 });
  log.debug('good too', { c: new Date(0) });
  await clock.advance(50);
  const lines = sent.flatMap((message) => (message.type === 'log' ? message.lines : []));
  assert.deepEqual(
    lines.map(({ event, fields }) => [event, fields]),
    [
      ['first', {}],
      ['good', { a: 1 }],
      ['bad', { what: '() => 0', b: '2' }],
      ['good too', { c: new Date(0) }],
    ],
  );
});

test('whatever a module answers comes after the lines that it wrote before, and its last lines before its end', async () => {
  const clock = new FakeClock();
  const said: string[] = [];
  let own: Logger | undefined;
  let tell: (message: SupervisorMessage) => void = () => undefined;
  serveModule({
    bind: async (log) => {
      own = log;
      return new FakeModule('nbrpc');
    },
    clock,
    version: '1',
    link: {
      send: (data) => {
        const message = data as ModuleMessage;
        if (message.type === 'log') said.push(...message.lines.map(({ event }) => event));
        else said.push(message.type);
      },
      receive: (listener) => {
        tell = (message) => listener.message(message);
      },
      close: () => void said.push('closed'),
    },
  });
  tell({ type: 'start', config: {} });
  await settle();
  own?.debug('one');
  own?.debug('two');
  tell({ type: 'ping', id: 1, detail: false });
  own?.debug('three');
  tell({ type: 'stop', reason: 'restart' });
  await settle();
  assert.deepEqual(said, ['hello', 'ready', 'one', 'two', 'pong', 'three', 'stopped', 'closed']);
});
