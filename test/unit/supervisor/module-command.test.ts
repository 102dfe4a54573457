/** Commands to a module, from the control socket to where the module runs, and what comes back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageControl } from '../../../src/cli/compose-page.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import type { RunningModule } from '../../../src/core/module.ts';
import { bindModule } from '../../../src/supervisor/bound-module.ts';
import { openControlSocket } from '../../../src/supervisor/control-socket.ts';
import { commandLimit } from '../../../src/supervisor/module-runner.ts';
import { startRemote } from '../../../src/supervisor/remote-module.ts';
import { memoryCarrier } from '../../fakes/fake-carrier.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { setUp, two } from './supervisor-of-fakes.ts';

type Command = NonNullable<RunningModule<unknown>['command']>;

/** A module with a command, or without where undefined; elsewhere, as far as the two sides know. */
async function remote(command: Command | undefined) {
  const module = new FakeModule('nbrpc');
  const bound = bindModule({
    definition: {
      name: 'nbrpc',
      parse: async (table) => ({ ok: true, config: table }),
      preflight: async () => [],
      start: async (config, _, signal) => ({
        ...(await module.start(config, signal)),
        ...(command === undefined ? {} : { command }),
      }),
    },
    paths: [],
    host: async () => undefined,
    preflightHost: async () => undefined,
  });
  const clock = new FakeClock();
  const open = memoryCarrier(async () => bound, clock, '1');
  const log = new MemoryLog();
  const options = { name: 'nbrpc', open, clock, log, version: '1', pingInterval: 30_000, hangLimit: 30_000 } as const;
  return startRemote(options, {}, new AbortController().signal);
}

test('a command and its argument reach the module, and its answer comes back; two at a time are not mixed up', async () => {
  const ends: ((text: string) => void)[] = [];
  const running = await remote(
    (name, argument) => new Promise((resolve) => ends.push((text) => resolve(`${name} ${argument} ${text}`))),
  );
  const answers = ['a', 'b'].map(async (host) => running.command?.('check', host));
  await settle();
  ends[1]?.('second');
  ends[0]?.('first');
  assert.deepEqual(await Promise.all(answers), ['check a first', 'check b second']);
  await running.stop('shutdown');
});

test('what the module refuses comes back with code and remedy, and is no crash', async () => {
  const running = await remote(async () => {
    throw new NetstewardError('host-unknown', 'there is no host x', { remedy: 'Name another.' });
  });
  await assert.rejects(async () => running.command?.('check', 'x'), { code: 'host-unknown', remedy: 'Name another.' });
  assert.equal(running.health().ready, true);
  await running.stop('shutdown');
});

test('a module without commands says so', async () => {
  const running = await remote(undefined);
  await assert.rejects(async () => running.command?.('check', 'x'), { code: 'command-unknown' });
  await running.stop('shutdown');
});

test('a command that is under way when the module ends is refused, and none is taken afterwards', async () => {
  const running = await remote(() => new Promise(() => undefined));
  const asked = running.command?.('check', 'x');
  const refused = assert.rejects(async () => asked, { code: 'module-stopped' });
  await settle();
  await running.stop('shutdown');
  await refused;
  await assert.rejects(async () => running.command?.('check', 'x'), { code: 'module-stopped' });
});

test('through the supervisor: a module that is off, has no command, or does not answer, is told as such', async () => {
  const { supervisor, clock, nbrpc } = await setUp(two);
  nbrpc.command = (name, argument) =>
    argument === 'never' ? new Promise(() => undefined) : Promise.resolve(`${name} ${argument}`);
  await assert.rejects(supervisor.command('nothing', 'check', 'x'), { code: 'module-off' });
  supervisor.start();
  await settle();
  await assert.rejects(supervisor.command('dyndns', 'check', 'x'), { code: 'command-unknown' });
  assert.equal(await supervisor.command('nbrpc', 'check', 'x'), 'check x');
  const late = assert.rejects(supervisor.command('nbrpc', 'check', 'never'), { code: 'command-timeout' });
  await clock.advance(commandLimit);
  await late;
  nbrpc.crash(new Error('it fell over'));
  await settle();
  await assert.rejects(supervisor.command('nbrpc', 'check', 'x'), { code: 'module-not-running' });
  await supervisor.stop();
});

test('over the control socket an answer is text, and a refusal an error with code and remedy', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-command-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'c.sock');
  const unused = (): never => assert.fail();
  const socket = await openControlSocket(path, {
    status: unused,
    reload: unused,
    events: unused,
    follow: unused,
    metrics: unused,
    command: async (module, name, argument) => {
      if (argument === 'x')
        throw new NetstewardError('host-unknown', 'there is no host x', { remedy: 'Name another.' });
      return `${module} ${name} ${argument}`;
    },
  });
  t.after(() => socket.close());
  const control = pageControl(path);
  assert.equal(await control.command('nbrpc', 'check', '"a"\n'), 'nbrpc check "a"\n');
  await assert.rejects(control.command('nbrpc', 'check', 'x'), { code: 'host-unknown', remedy: 'Name another.' });
});
