/** A module that runs elsewhere is one like any other, whatever carries it: a process, a thread, or nothing but memory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { NetstewardError } from '../../src/core/errors.ts';
import type { RunningModule } from '../../src/core/module.ts';
import { startRemote } from '../../src/supervisor/remote-module.ts';
import type { OpenCarrier } from '../../src/system/carrier.ts';
import { processCarrier } from '../../src/system/linux/module-process.ts';
import { workerCarrier } from '../../src/system/linux/module-worker.ts';
import { memoryCarrier } from '../fakes/fake-carrier.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { type Script, type ScriptedDetail, scriptedModule } from '../fakes/scripted-module.ts';
import { eventually } from '../system/eventually.ts';

const version = '1.2.3';
const entry = fileURLToPath(new URL('./carrier-program.js', import.meta.url));
const process64 = processCarrier({ entry, args: [version], heapLimit: 64 });
const worker64 = workerCarrier({ entry, args: [version], heapLimit: 64, youngLimit: 4 });
const memory = memoryCarrier(async (log) => scriptedModule(log), systemClock, version);

const everywhere: readonly (readonly [string, OpenCarrier])[] = [
  ['process', process64],
  ['thread', worker64],
  ['memory', memory],
];
/** Where a module can be ended whatever it does. */
const elsewhere = everywhere.slice(0, 2);

const folder = mkdtempSync(join(tmpdir(), 'netsteward-carrier-'));
after(() => rmSync(folder, { recursive: true }));

async function setUp(t: TestContext, open: OpenCarrier, script: Script = {}, signal = new AbortController().signal) {
  const [clock, log] = [new FakeClock(), new MemoryLog()];
  const options = { name: 'dyndns', open, clock, log, version, pingInterval: 10_000, hangLimit: 30_000 } as const;
  const running = await startRemote(options, script, signal);
  t.after(() => running.stop('shutdown').catch(() => undefined));
  return { running, clock, log };
}

async function detail(running: RunningModule<unknown>): Promise<ScriptedDetail> {
  await running.refresh?.();
  return running.health().detail as ScriptedDetail;
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** What stands after the command's name in /proc/PID/stat (proc(5)): state, parent, group, session, … */
const statOf = (pid: number): readonly string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

for (const [name, open] of everywhere) {
  test(`${name}: a command is done where the module is, and a refusal of it is no crash`, async (t) => {
    const { running } = await setUp(t, open);
    const { pid } = await detail(running);
    assert.equal(await running.command?.('echo', 'a\0"'), `a\0" (${pid})`);
    await assert.rejects(async () => running.command?.('shout', 'a'), { code: 'command-unknown', remedy: 'Say echo.' });
    assert.equal((await detail(running)).pid, pid);
  });

  test(`${name}: a configuration and its reload arrive as they were, with all that JSON would lose`, async (t) => {
    const value = {
      nothing: undefined,
      ever: Number.POSITIVE_INFINITY,
      big: 2n ** 70n,
      day: new Date(0),
      pattern: /^a.b$/i,
      table: new Map([['a', new Set([1])]]),
      text: '\u2028 ü \0',
    };
    const { running } = await setUp(t, open, { value });
    assert.deepEqual((await detail(running)).value, value);
    await running.reload({ value: 'x'.repeat(20_000_000) });
    const { value: long, reloads } = await detail(running);
    assert.deepEqual([(long as string).length, reloads], [20_000_000, 1]);
    assert.equal(running.health().summary, '1 reloads');
  });

  test(`${name}: a configuration that cannot cross is an error, not a crash`, async (t) => {
    const refused = { name: 'NetstewardError', code: 'config-not-plain' };
    await assert.rejects(setUp(t, open, { value: () => 1 }), refused);
    const { running } = await setUp(t, open);
    await assert.rejects(running.reload({ value: () => 1 }), refused);
    assert.equal((await detail(running)).reloads, 0);
  });

  test(`${name}: a start that is refused rejects with code and remedy, and one that nobody foresaw with its stack`, async (t) => {
    await assert.rejects(setUp(t, open, { act: 'refuse' }), {
      name: 'NetstewardError',
      code: 'set-missing',
      message: 'there is no set b4',
      remedy: 'Add it.',
    });
    await assert.rejects(setUp(t, open, { act: 'throw' }), (error: Error) => {
      assert.equal(error.message, 'nobody foresaw this');
      assert.match(error.stack ?? '', /scripted-module/);
      return !(error instanceof NetstewardError);
    });
  });

  test(`${name}: a start can be given up`, async (t) => {
    const abort = new AbortController();
    const starting = setUp(t, open, { act: 'wait' }, abort.signal);
    await wait(10);
    const reason = new NetstewardError('superseded', 'a newer configuration came');
    abort.abort(reason);
    await assert.rejects(starting, reason);
  });

  test(`${name}: a reload that is refused leaves the old configuration in force`, async (t) => {
    const { running } = await setUp(t, open, { value: 'old' });
    await assert.rejects(running.reload({ act: 'refuse', value: 'new' }), { code: 'set-missing', remedy: 'Add it.' });
    assert.equal((await detail(running)).value, 'old');
  });

  test(`${name}: its log lines come in order, with their fields, before what it does next`, async (t) => {
    const { running, log } = await setUp(t, open);
    await running.reload({ act: 'log', value: new Map([[1, 2]]) });
    assert.deepEqual(log.lines, [
      { level: 'debug', event: 'seen', fields: { module: 'dyndns', value: new Map([[1, 2]]) } },
      {
        level: 'warn',
        event: 'failed',
        fields: { module: 'dyndns', error: { code: 'line-cut', message: 'the line was cut' } },
      },
      { level: 'error', event: 'crossed', fields: { module: 'dyndns', odd: '() => 1', value: '1' } },
    ]);
  });

  test(`${name}: a module that crashes rejects done, and stop takes away what is left of it`, async (t) => {
    const file = join(folder, `${name}-crash`);
    const { running } = await setUp(t, open, { file });
    await running.reload({ act: 'crash' });
    await assert.rejects(running.done, { code: 'line-cut', remedy: 'Mend it.' });
    await running.stop('restart');
    assert.equal(readFileSync(file, 'utf8'), 'restart');
    await assert.rejects(running.reload({}), { code: 'line-cut' });
  });

  test(`${name}: a module that cannot say how it is counts as crashed`, async (t) => {
    const { running } = await setUp(t, open);
    await running.reload({ act: 'sick' });
    await running.refresh?.();
    await assert.rejects(running.done, /^Error: it does not know how it is$/);
  });

  test(`${name}: stop hands over its reason, resolves done, and is the same twice`, async (t) => {
    const file = join(folder, `${name}-stop`);
    const { running, clock } = await setUp(t, open, { file });
    await Promise.all([running.stop('reload'), running.stop('shutdown')]);
    await running.done;
    assert.equal(readFileSync(file, 'utf8'), 'reload');
    assert.equal(clock.waiting, 0);
    await running.refresh?.();
    await assert.rejects(running.reload({}), { code: 'module-stopped' });
  });

  test(`${name}: a side of another version is not spoken to`, async () => {
    const options = {
      name: 'dyndns',
      open,
      clock: new FakeClock(),
      log: new MemoryLog(),
      pingInterval: 1,
      hangLimit: 9,
    } as const;
    await assert.rejects(startRemote({ ...options, version: '1.2.4' }, {}, new AbortController().signal), {
      code: 'module-other-version',
      message: 'the program was replaced by version 1.2.3 while version 1.2.4 runs',
      remedy: 'Restart netsteward.',
    });
  });
}

for (const [name, open] of elsewhere) {
  test(`${name}: an error that nobody caught ends it with that error as the reason`, async (t) => {
    const { running } = await setUp(t, open);
    const reloading = running.reload({ act: 'uncaught' });
    await assert.rejects(running.done, (error: Error) => {
      assert.match(error.stack ?? '', /^RangeError: nobody caught this\n\s+at .*scripted-module/);
      return true;
    });
    await assert.rejects(reloading, /nobody caught this/);
    await running.stop('restart');
  });

  test(`${name}: an end of its own accord is told with its exit code`, async (t) => {
    const { running, clock } = await setUp(t, open);
    await assert.rejects(running.reload({ act: 'exit' }), new RegExp(`its ${name} ended with exit code 7$`));
    await assert.rejects(running.done, /exit code 7/);
    assert.equal(clock.waiting, 0);
  });

  test(`${name}: a module whose loop stands still is ended after the limit, and says so before`, async (t) => {
    const { running, clock } = await setUp(t, open);
    const reloading = assert.rejects(running.reload({ act: 'block' }), { code: 'module-hangs' });
    const ended = assert.rejects(running.done, { code: 'module-hangs', message: 'it hangs: no answer for 30s' });
    await clock.advance(10_000 + 4000);
    assert.equal(running.health().summary, '0 reloads; no answer for 4s');
    await clock.advance(30_000);
    await Promise.all([reloading, ended]);
    await running.stop('restart');
    assert.equal(clock.waiting, 0);
  });

  test(`${name}: a start whose loop stands still is ended too`, async () => {
    const clock = new FakeClock();
    const options = {
      name: 'dyndns',
      open,
      clock,
      log: new MemoryLog(),
      version,
      pingInterval: 10_000,
      hangLimit: 30_000,
    } as const;
    const refused = assert.rejects(startRemote(options, { act: 'block' }, new AbortController().signal), {
      code: 'module-hangs',
    });
    await clock.advance(40_000);
    await refused;
  });

  test(`${name}: a module that does not stop is ended, and stop says so`, async (t) => {
    const { running, clock } = await setUp(t, open, { act: 'deaf' });
    const stopping = assert.rejects(running.stop('shutdown'), {
      code: 'module-killed',
      message: 'it did not stop within 9s',
    });
    await clock.advance(9000);
    await stopping;
    await running.done;
  });

  const outOfMemory = { code: 'module-out-of-memory', message: 'it has used up its memory of 64 MB' };

  test(`${name}: memory used up at once ends it alone, in plain words`, async (t) => {
    const { running } = await setUp(t, open);
    running.reload({ act: 'fill' }).catch(() => undefined);
    await assert.rejects(running.done, outOfMemory);
    await running.stop('restart');
    assert.equal((await detail((await setUp(t, open, { value: 1 })).running)).value, 1);
  });

  test(`${name}: memory that fills up is told before it is full, so that the module can still be stopped in good order`, async (t) => {
    const file = join(folder, `${name}-full`);
    const { running } = await setUp(t, open, { file });
    await running.reload({ act: 'fill-slowly' });
    await assert.rejects(running.done, outOfMemory);
    await running.stop('restart');
    assert.equal(readFileSync(file, 'utf8'), 'restart');
  });

  test(`${name}: what it writes for people comes into the log, bounded`, async (t) => {
    const { running, log } = await setUp(t, open);
    await running.reload({ act: 'speak', value: `${'y'.repeat(2000)}\n${'z\u001b[31m\n'.repeat(5000)}` });
    await eventually('the lines come', () => log.of('module-stderr').length > 2);
    const [long, short] = log.of('module-stderr').map(({ fields }) => fields as { module: string; text: string });
    assert.deepEqual([long?.module, long?.text], ['dyndns', 'y'.repeat(500)]);
    assert.equal(short?.text.includes('\u001b'), false);
    assert.ok(log.of('module-stderr').length < 1000);
  });

  test(`${name}: its children end with it, and leave no zombie`, async (t) => {
    const { running, clock } = await setUp(t, open);
    await running.reload({ act: 'spawn' });
    const { child } = await detail(running);
    assert.ok(child !== undefined && isAlive(child));
    running.reload({ act: 'block' }).catch(() => undefined);
    await clock.advance(40_000);
    await assert.rejects(running.done, { code: 'module-hangs' });
    await eventually('the child is gone', () => !isAlive(child));
  });
}

test('process: no signal reaches it but by the supervisor, and Ctrl-C not even its session', async (t) => {
  const { running } = await setUp(t, process64);
  const { pid, env } = await detail(running);
  assert.notEqual(pid, process.pid);
  assert.notEqual(statOf(pid)[3], statOf(process.pid)[3]);
  assert.equal(env, undefined);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.kill(pid, signal);
  await running.reload({ value: 'still there' });
  assert.equal((await detail(running)).value, 'still there');
});

test('process: an end by a signal is told', async (t) => {
  const { running } = await setUp(t, process64);
  process.kill((await detail(running)).pid, 'SIGKILL');
  await assert.rejects(running.done, { code: 'module-process-ended', message: 'its process was ended by SIGKILL' });
});

test('process: a supervisor that is killed leaves none behind, and its on_stop is obeyed', async () => {
  const file = join(folder, 'abandoned');
  const owner = spawn(process.execPath, [fileURLToPath(new URL('./carrier-owner.js', import.meta.url)), entry, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [data] = (await once(owner.stdout, 'data')) as [Buffer];
  const pid = Number(data.toString());
  assert.ok(isAlive(pid));
  owner.kill('SIGKILL');
  await eventually('it is gone', () => !isAlive(pid) || statOf(pid)[0] === 'Z');
  assert.equal(readFileSync(file, 'utf8'), 'shutdown');
});

test('process: a Node that cannot be started is told', async (t) => {
  const { execPath } = process;
  process.execPath = join(folder, 'no-node');
  t.after(() => {
    process.execPath = execPath;
  });
  await assert.rejects(setUp(t, process64), {
    code: 'module-not-started',
    message: /cannot be started: spawn .*ENOENT/,
  });
});

test('process: a program that is not there is told, and the same program by hand says who starts it', async (t) => {
  const nowhere = processCarrier({ entry: join(folder, 'none.js'), args: [] });
  await assert.rejects(setUp(t, nowhere), /its process ended with exit code 1/);
  const child = spawn(process.execPath, [entry, version], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [[text], [code]] = (await Promise.all([once(child.stderr, 'data'), once(child, 'exit')])) as [
    [Buffer],
    [number],
  ];
  assert.match(text.toString(), /started by `netsteward run` alone/);
  assert.equal(code, 1);
});
