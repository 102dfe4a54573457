/** A module whose loop stands still, in its start or later: ended and started again, and what systemd is told where it cannot be ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ToldStuck } from '../../../src/supervisor/bound-module.ts';
import { parseConfiguration } from '../../../src/supervisor/config.ts';
import { restartBackoff } from '../../../src/supervisor/module-runner.ts';
import { startRemote } from '../../../src/supervisor/remote-module.ts';
import { Supervisor } from '../../../src/supervisor/supervisor.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';
import { FakeNotifier } from '../../fakes/fake-notifier.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { Other } from './other-side.ts';

const watchdogInterval = 15_000;
/** As under systemd: a question each 10 s, and a hang is 30 s without an answer. */
const [pingInterval, hangLimit] = [10_000, 30_000];
const untilKilled = pingInterval + hangLimit;
const untilStuck = untilKilled + 10_000;

/** dyndns is a fake; each start of nbrpc is another side of `sides`, made by `makeSide`. */
async function supervised(text = '[nbrpc]\n', makeSide: () => Other = () => new Other()) {
  const [clock, log, notifier] = [new FakeClock(), new MemoryLog(), new FakeNotifier()];
  const sides: Other[] = [];
  const start = (config: unknown, signal: AbortSignal, toldStuck?: ToldStuck) => {
    const side = makeSide();
    sides.push(side);
    const options = { name: 'nbrpc', open: side.open, clock, log, version: '1', pingInterval, hangLimit } as const;
    return startRemote(options, config, signal, toldStuck);
  };
  const registry = new Map([
    ['nbrpc', async () => Object.assign(new FakeModule('nbrpc'), { start })] as const,
    ['dyndns', async () => new FakeModule('dyndns')] as const,
  ]);
  const file = { text };
  const source = { file: 'n.toml', overrides: [], workingDirectory: '/' };
  const load = () => parseConfiguration(file.text, source, registry);
  const more = { version: '1', pid: 42, configFile: 'n.toml', applyGeneral: () => undefined };
  const supervisor = new Supervisor(await load(), { clock, log, notifier, watchdogInterval, load, ...more });
  supervisor.start();
  await settle();
  const side = (): Other => {
    const last = sides.at(-1);
    assert.ok(last);
    return last;
  };
  const fed = (): number => notifier.valuesOf('WATCHDOG').length;
  const extended = (): number => notifier.valuesOf('EXTEND_TIMEOUT_USEC').length;
  const module = () => supervisor.status().modules[0];
  const warnings = () => supervisor.status().warnings.map(({ code, text, remedy }) => ({ code, text, remedy }));
  return { clock, log, notifier, file, supervisor, sides, side, fed, extended, module, warnings };
}

/** A side that no kill ends: what a test has to end itself. */
function unending(): Other {
  const side = new Other();
  side.diesWhenKilled = false;
  return side;
}

test('a module whose loop stands still in its start is ended and started again, the watchdog being fed meanwhile', async () => {
  const { clock, side, sides, fed, module, warnings, supervisor, notifier } = await supervised();
  side().say({ type: 'hello', version: '1' });
  await clock.advance(untilKilled - 1);
  assert.equal(side().killed, 0);
  await clock.advance(1);
  assert.equal(side().killed, 1);
  assert.equal(module()?.state, 'waiting');
  const [warning] = warnings();
  assert.equal(warning?.code, 'module-restarting');
  assert.match(
    warning?.text ?? '',
    /^module nbrpc ended: it hangs in its start: no answer for 30s \(Look what holds it: /,
  );
  assert.match(module()?.lastError ?? '', /^it hangs in its start: no answer for 30s/);
  assert.equal(fed(), 2);
  await clock.advance(restartBackoff.first);
  assert.equal(sides.length, 2);
  side().begin();
  await settle();
  assert.equal(supervisor.status().ready, true);
  assert.deepEqual([module()?.restarts, warnings(), notifier.valuesOf('READY').length], [1, [], 1]);
});

test('one that has not even said hello is ended too', async () => {
  const { clock, side, module } = await supervised();
  await clock.advance(untilKilled);
  assert.deepEqual([side().killed, module()?.state], [1, 'waiting']);
});

test('starts that hang again and again come after growing delays, however long each of them hung, and are told once', async () => {
  const { clock, sides, log } = await supervised();
  const delays: number[] = [];
  for (const expected of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    await clock.advance(untilKilled);
    const before = sides.length;
    await clock.advance(expected - 1);
    assert.equal(sides.length, before);
    await clock.advance(1);
    assert.equal(sides.length, before + 1);
    delays.push(expected);
  }
  assert.equal(log.of('warning-raised').length, 1);
});

test('a module that was well for long and then hangs starts again after the first delay', async () => {
  const { clock, sides, side } = await supervised();
  await clock.advance(untilKilled + 1000 + untilKilled + 2000);
  assert.equal(sides.length, 3);
  side().begin();
  for (let beat = 0; beat < 6; beat++) {
    await clock.advance(pingInterval);
    side().answer();
  }
  await clock.advance(untilKilled + 999);
  assert.equal(sides.length, 3);
  await clock.advance(1);
  assert.equal(sides.length, 4);
});

test('a start that takes an hour, its loop ticking, is let be: more time is asked for, and the watchdog is fed', async () => {
  const { clock, side, sides, extended, fed, supervisor } = await supervised();
  side().say({ type: 'hello', version: '1' });
  for (let beat = 0; beat < 360; beat++) {
    await clock.advance(pingInterval);
    // As module-server.ts answers while the start is under way.
    side().say({ type: 'pong', id: side().last('ping')?.id ?? 0 });
  }
  assert.deepEqual([sides.length, side().killed], [1, 0]);
  assert.deepEqual([extended(), fed()], [240, 240]);
  side().begin();
  await settle();
  assert.equal(supervisor.status().ready, true);
});

test('where a start hangs and cannot be ended systemd hears no more before READY either, until it ends after all', async () => {
  const { clock, side, sides, fed, extended, module, warnings, supervisor } = await supervised('[nbrpc]\n', unending);
  await clock.advance(untilStuck - 1);
  assert.deepEqual([side().killed, warnings()], [1, []]);
  const before = fed();
  assert.deepEqual([before, extended()], [3, 3]);
  await clock.advance(1);
  const [warning] = warnings();
  assert.equal(warning?.code, 'module-not-ended');
  assert.equal(warning?.text, 'module nbrpc was killed and does not end: it hangs in its start: no answer for 30s');
  assert.match(warning?.remedy ?? '', /watchdog is no longer fed; elsewhere restart it/);
  await clock.advance(120_000);
  assert.deepEqual([fed(), extended(), sides.length, module()?.state], [before, before, 1, 'starting']);
  side().end('it was killed');
  await settle();
  assert.equal(module()?.state, 'waiting');
  assert.deepEqual(
    warnings().map(({ code }) => code),
    ['module-restarting'],
  );
  await clock.advance(restartBackoff.first);
  assert.equal(sides.length, 2);
  side().begin();
  await clock.advance(watchdogInterval);
  assert.equal(supervisor.status().ready, true);
  assert.equal(fed(), before + 1);
});

test('where a module that ran hangs and cannot be ended the watchdog gets no food either, until it ends after all', async () => {
  const { clock, side, fed, module, warnings, notifier } = await supervised('[nbrpc]\n', unending);
  side().begin();
  await settle();
  await clock.advance(untilStuck - 1);
  assert.equal(module()?.health?.summary, 'well; no answer for 40s');
  assert.equal(fed(), 3);
  await clock.advance(1);
  assert.deepEqual([module()?.state, module()?.health], ['running', undefined]);
  assert.equal(notifier.valuesOf('STATUS').at(-1), 'nbrpc: does not answer, and cannot be ended; 1 warning');
  assert.equal(warnings()[0]?.text, 'module nbrpc was killed and does not end: it hangs: no answer for 30s');
  await clock.advance(60_000);
  assert.equal(fed(), 3);
  side().end('it was killed');
  await clock.advance(watchdogInterval);
  assert.equal(fed(), 4);
});

test('where the start that hangs is that of a module which a reload adds, and it cannot be ended, the watchdog gets no food', async () => {
  const { clock, side, file, supervisor, fed } = await supervised('[dyndns]\n', unending);
  file.text = '[dyndns]\n[nbrpc]\n';
  const reloading = supervisor.reload();
  await settle();
  await clock.advance(untilStuck);
  const before = fed();
  await clock.advance(60_000);
  assert.equal(fed(), before);
  side().end('it was killed');
  const { ok, problems } = await reloading;
  assert.equal(ok, false);
  assert.match(problems[0] ?? '', /^nbrpc: it hangs in its start/);
  await clock.advance(watchdogInterval);
  assert.equal(fed(), before + 1);
  assert.deepEqual(
    supervisor.status().warnings.map(({ code }) => code),
    ['reload-rejected'],
  );
});

test('what is left of a start that a reload gave up, and cannot be ended, starves the watchdog as well', async () => {
  const { clock, side, file, supervisor, fed, warnings } = await supervised('[nbrpc]\na = 1\n', unending);
  file.text = '[nbrpc]\na = 2\n';
  await supervisor.reload();
  // Asked to stop, killed after nine seconds, and given up ten seconds later.
  await clock.advance(9000 + 10_000);
  assert.equal(warnings()[0]?.text, 'module nbrpc was killed and does not end: it did not stop within 9s');
  const before = fed();
  await clock.advance(60_000);
  assert.equal(fed(), before);
  side().end('it was killed');
  await settle();
  side().begin();
  await clock.advance(watchdogInterval);
  assert.deepEqual([fed(), warnings()], [before + 1, []]);
});
