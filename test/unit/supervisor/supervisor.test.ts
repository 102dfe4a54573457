/** The supervisor: starts, restarts, reloads and stops modules; what it tells systemd meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { settle } from '../../fakes/fake-clock.ts';
import { setUp, two } from './supervisor-of-fakes.ts';

test('a crashed module is cleaned up and started again after growing delays, and the others do not notice', async () => {
  const { supervisor, clock, nbrpc, dyndns, codes, log } = await setUp(two);
  supervisor.start();
  await settle();
  nbrpc.startErrors = [new Error('second'), new Error('third')];
  nbrpc.crash(new Error('first'));
  await settle();
  assert.deepEqual(nbrpc.calls, ['start {"a":1}', 'stop restart']);
  assert.deepEqual(codes(), ['module-restarting']);
  assert.match(supervisor.status().warnings[0]?.text ?? '', /nbrpc ended: first; it starts again in at most 1m$/);
  assert.equal(supervisor.status().modules[0]?.state, 'waiting');
  await clock.advance(999);
  assert.equal(nbrpc.calls.length, 2);
  await clock.advance(1);
  assert.equal(nbrpc.calls.length, 3);
  await clock.advance(2000);
  assert.equal(nbrpc.calls.length, 4);
  await clock.advance(3999);
  assert.equal(nbrpc.calls.length, 4);
  await clock.advance(1);
  assert.equal(nbrpc.calls.length, 5);
  assert.deepEqual(codes(), []);
  assert.equal(supervisor.status().modules[0]?.restarts, 3);
  assert.deepEqual(dyndns.calls, ['start {"b":1}']);
  assert.deepEqual(
    log.of('module-ended').map((line) => line.fields.reason),
    ['first', 'second', 'third'],
  );
});

test('what a module warned of is told as over when it crashes, as it can say so no more itself', async () => {
  const { supervisor, nbrpc, log } = await setUp(two);
  supervisor.start();
  await settle();
  const [code, subject, text, remedy] = ['check-list-rejected', '/a.list', 'junk', 'Correct it.'] as const;
  nbrpc.warnings = [{ code, subject, severity: 'error', text, remedy, since: 0 }];
  nbrpc.crash(new Error('first'));
  await settle();
  const told = log.of('warning-cleared').map(({ fields }) => fields);
  assert.deepEqual(told, [{ module: 'nbrpc', code, subject, text, remedy }]);
});

test('a module that cannot start says so once per change of reason, is not ready, and stops at once', async () => {
  const { supervisor, clock, nbrpc, dyndns, notifier, log, codes } = await setUp(two);
  const missing = new NetstewardError('set-missing', 'no set blocked4', { remedy: 'Add it.' });
  const other = new NetstewardError('nft-missing', 'no nft');
  nbrpc.startErrors = [...Array.from({ length: 5 }, () => missing), ...Array.from({ length: 20 }, () => other)];
  supervisor.start();
  // 1 + 2 + 4 + 8 s: the fifth failure.
  await clock.advance(15_000);
  assert.equal(nbrpc.calls.length, 5);
  const texts = (): unknown[] => log.of('warning-raised').map((line) => line.fields.text);
  const first = 'module nbrpc ended: no set blocked4 (Add it.); it starts again in at most 1m';
  assert.deepEqual(texts(), [first]);
  assert.deepEqual(codes(), ['module-restarting']);
  assert.equal(supervisor.status().warnings[0]?.text, first);
  assert.match(
    notifier.valuesOf('STATUS').at(-1) ?? '',
    /^nbrpc: ended \(no set blocked4 \(Add it\.\)\), starts again; dyndns/,
  );
  await clock.advance(600_000);
  assert.deepEqual(texts(), [first, 'module nbrpc ended: no nft; it starts again in at most 1m']);
  assert.deepEqual(
    log.lines.filter((line) => line.level === 'error').map((line) => line.event),
    ['warning-raised', 'warning-raised'],
  );
  assert.equal(supervisor.status().ready, false);
  const [status] = supervisor.status().modules;
  assert.deepEqual([status?.state, status?.lastError], ['waiting', 'no nft']);
  assert.deepEqual(dyndns.calls, ['start {"b":1}']);
  await supervisor.stop();
  assert.equal(clock.waiting, 0);
  assert.equal(supervisor.status().modules[0]?.state, 'stopped');
  assert.equal(log.of('warning-cleared').length, 0, 'nothing became better');
});

test('what nobody foresaw comes with its stack, once per change of reason', async () => {
  const { supervisor, clock, nbrpc, log } = await setUp('[nbrpc]\n');
  nbrpc.startErrors = [new TypeError('x'), new TypeError('x'), new TypeError('y')];
  supervisor.start();
  await clock.advance(7000);
  assert.deepEqual(
    log.of('module-ended').map(({ level, fields }) => [level, fields.reason]),
    [
      ['error', 'x'],
      ['debug', 'x'],
      ['error', 'y'],
    ],
  );
  nbrpc.crash(new TypeError('y'));
  await clock.advance(1);
  assert.equal(log.of('module-ended').at(-1)?.level, 'error', 'it ran meanwhile, so that this is news');
});

test('a module that ran well for a minute starts again after the first delay', async () => {
  const { supervisor, clock, nbrpc } = await setUp('[nbrpc]\n');
  nbrpc.startErrors = [new Error('a'), new Error('b'), new Error('c')];
  supervisor.start();
  await clock.advance(1000 + 2000 + 4000);
  assert.equal(nbrpc.calls.length, 4);
  await clock.advance(60_000);
  nbrpc.crash(new Error('late'));
  await clock.advance(1000);
  assert.equal(nbrpc.calls.filter((call) => call.startsWith('start')).length, 5);
});

test('a reload hands each module its new table, in order', async () => {
  const { supervisor, notifier, file, nbrpc, dyndns, applied } = await setUp(two);
  supervisor.start();
  await settle();
  file.text = '[log]\nlevel = "debug"\n[nbrpc]\na = 2\n[dyndns]\nb = 1\n';
  const record = await supervisor.reload();
  assert.equal(record.ok, true);
  assert.equal(nbrpc.calls.at(-1), 'reload {"a":2}');
  assert.equal(dyndns.calls.at(-1), 'reload {"b":1}');
  assert.equal(applied[0]?.log.level, 'debug');
  const told = notifier.told.flatMap((state) => Object.keys(state)).filter((key) => key !== 'STATUS');
  assert.deepEqual(told, ['READY', 'RELOADING', 'READY']);
});

test('a reload with a wrong configuration changes nothing, and reply, log, status and warning say why', async () => {
  const { supervisor, file, nbrpc, dyndns, codes, log, applied } = await setUp(two);
  supervisor.start();
  await settle();
  file.text = '[nbrpc]\na = "bad"\n[dyndns]\nb = "bad"\n';
  const record = await supervisor.reload();
  const problems = ['n.toml:2:5: nbrpc.a: must not be bad', 'n.toml:4:5: dyndns.b: must not be bad'];
  assert.deepEqual(record.problems, problems);
  assert.deepEqual(supervisor.status().lastReload?.problems, problems);
  assert.deepEqual(log.of('reload-rejected')[0]?.fields, { problems });
  assert.deepEqual(codes(), ['reload-rejected']);
  assert.deepEqual([nbrpc.calls.length, dyndns.calls.length, applied.length], [1, 1, 0]);
  file.text = two;
  assert.equal((await supervisor.reload()).ok, true);
  assert.deepEqual(codes(), []);
});

test('an error that a look at the machine finds rejects the reload, a warning does not', async () => {
  const { supervisor, nbrpc, dyndns } = await setUp(two);
  supervisor.start();
  await settle();
  dyndns.findings = [{ severity: 'error', text: 'no such key file', remedy: 'Make one.' }];
  const record = await supervisor.reload();
  assert.deepEqual(record.problems, ['dyndns: no such key file (Make one.)']);
  assert.equal(nbrpc.calls.length, 1);
  dyndns.findings = [{ severity: 'warning', text: 'the key file is old' }];
  assert.equal((await supervisor.reload()).ok, true);
});

test('when one module rejects its new table the others get their old one back', async () => {
  const { supervisor, file, nbrpc, dyndns } = await setUp(two);
  supervisor.start();
  await settle();
  file.text = '[nbrpc]\na = 2\n[dyndns]\nb = 2\n';
  dyndns.reloadError = new Error('the port is taken');
  const record = await supervisor.reload();
  assert.deepEqual(record.problems, ['dyndns: the port is taken']);
  assert.deepEqual(nbrpc.calls, ['start {"a":1}', 'reload {"a":2}', 'reload {"a":1}']);
  nbrpc.crash(new Error('later'));
  await settle();
  assert.equal(supervisor.status().modules[1]?.state, 'running');
});

test('a reload adds and removes modules, and an added one that cannot start rejects it', async () => {
  const { supervisor, file, nbrpc, dyndns } = await setUp('[nbrpc]\n');
  supervisor.start();
  await settle();
  file.text = '[nbrpc]\nx = 1\n[dyndns]\n';
  dyndns.startErrors = [new Error('no socket')];
  assert.deepEqual((await supervisor.reload()).problems, ['dyndns: no socket']);
  assert.equal(nbrpc.calls.at(-1), 'reload {}');
  assert.equal((await supervisor.reload()).ok, true);
  assert.deepEqual(
    supervisor.status().modules.map((module) => [module.name, module.state]),
    [
      ['nbrpc', 'running'],
      ['dyndns', 'running'],
    ],
  );
  file.text = '[dyndns]\n';
  assert.equal((await supervisor.reload()).ok, true);
  assert.equal(nbrpc.calls.at(-1), 'stop reload');
  assert.deepEqual(
    supervisor.status().modules.map((module) => module.name),
    ['dyndns'],
  );
});

test('a module that waits for its next start is started with the new table at once', async () => {
  const { supervisor, file, nbrpc, clock } = await setUp('[nbrpc]\na = 1\n');
  nbrpc.startErrors = [new Error('wrong a')];
  supervisor.start();
  await settle();
  file.text = '[nbrpc]\na = 2\n';
  assert.equal((await supervisor.reload()).ok, true);
  await settle();
  assert.deepEqual(nbrpc.calls, ['start {"a":1}', 'start {"a":2}']);
  assert.equal(supervisor.status().ready, true);
  await clock.advance(60_000);
  assert.equal(nbrpc.calls.length, 2);
});

test('a start that hangs is given up when a reload brings another table', async () => {
  const { supervisor, file, nbrpc, log } = await setUp('[nbrpc]\na = 1\n');
  nbrpc.hangOnStart = true;
  supervisor.start();
  await settle();
  nbrpc.hangOnStart = false;
  file.text = '[nbrpc]\na = 2\n';
  assert.equal((await supervisor.reload()).ok, true);
  await settle();
  assert.deepEqual(nbrpc.calls, ['start {"a":1}', 'start {"a":2}']);
  assert.equal(log.of('module-ended').length, 0);
});

test('the control socket cannot move by reload', async () => {
  const { supervisor, file } = await setUp('[nbrpc]\n');
  supervisor.start();
  file.text = '[nbrpc]\n[control]\nsocket = "/elsewhere"\n';
  assert.match((await supervisor.reload()).problems.join(), /control\.socket cannot change/);
});

test('reloads come one after another', async () => {
  const { supervisor, file, nbrpc } = await setUp('[nbrpc]\na = 1\n');
  supervisor.start();
  await settle();
  file.text = '[nbrpc]\na = 2\n';
  const first = supervisor.reload();
  const second = supervisor.reload();
  assert.equal((await first).ok && (await second).ok, true);
  assert.deepEqual(nbrpc.calls.slice(1), ['reload {"a":2}', 'reload {"a":2}']);
});

test('stop stops the modules, last started first, and leaves no timer', async () => {
  const { supervisor, notifier, clock, nbrpc, dyndns, log } = await setUp(two);
  const order: string[] = [];
  for (const fake of [nbrpc, dyndns]) {
    const push = fake.calls.push.bind(fake.calls);
    fake.calls.push = (...calls) => {
      order.push(`${fake.name} ${calls.join()}`);
      return push(...calls);
    };
  }
  supervisor.start();
  await settle();
  await supervisor.stop();
  await supervisor.stop();
  assert.deepEqual(order.slice(2), ['dyndns stop shutdown', 'nbrpc stop shutdown']);
  assert.deepEqual(notifier.valuesOf('STOPPING'), ['1']);
  assert.equal(clock.waiting, 0);
  assert.equal(log.of('module-ended').length, 0);
  assert.match((await supervisor.reload()).problems.join(), /stopping/);
});

test('a module that does not stop is left behind after ten seconds', async () => {
  const { supervisor, clock, nbrpc, dyndns, log } = await setUp(two);
  dyndns.hangOnStop = true;
  supervisor.start();
  await settle();
  let stopped = false;
  const stopping = supervisor.stop().then(() => {
    stopped = true;
  });
  await clock.advance(9999);
  assert.equal(stopped, false);
  await clock.advance(1);
  await stopping;
  assert.deepEqual(log.of('module-stop-timeout')[0]?.fields, { module: 'dyndns', after: '10s' });
  assert.equal(nbrpc.calls.at(-1), 'stop shutdown');
});

test('stop ends a start that hangs, and a wait for the next start', async () => {
  const { supervisor, clock, nbrpc, dyndns } = await setUp(two);
  nbrpc.hangOnStart = true;
  dyndns.startErrors = [new Error('no')];
  supervisor.start();
  await settle();
  await supervisor.stop();
  assert.equal(clock.waiting, 0);
  await clock.advance(120_000);
  assert.deepEqual([nbrpc.calls.length, dyndns.calls.length], [1, 1]);
});

test('stop reaches a module that a reload is just adding', async () => {
  const { supervisor, file, nbrpc, dyndns } = await setUp('[nbrpc]\n');
  supervisor.start();
  await settle();
  dyndns.hangOnStart = true;
  file.text = '[nbrpc]\n[dyndns]\n';
  const reloading = supervisor.reload();
  await settle();
  assert.equal(supervisor.status().state, 'reloading');
  await supervisor.stop();
  assert.equal((await reloading).ok, false);
  assert.equal(nbrpc.calls.includes('stop shutdown'), true);
  assert.equal(supervisor.status().state, 'stopped');
});

test('the watchdog is fed only while every module answers', async () => {
  const { supervisor, clock, notifier, nbrpc } = await setUp('[nbrpc]\n');
  supervisor.start();
  await clock.advance(30_000);
  assert.equal(notifier.valuesOf('WATCHDOG').length, 2);
  nbrpc.healthError = new Error('stuck');
  await clock.advance(60_000);
  assert.equal(notifier.valuesOf('WATCHDOG').length, 2);
  assert.equal(supervisor.status().modules[0]?.health, undefined);
});

test('warnings of modules are part of the status, and counted in the STATUS line', async () => {
  const { supervisor, clock, notifier, nbrpc } = await setUp('[nbrpc]\n');
  supervisor.start();
  await settle();
  nbrpc.warnings = [
    { code: 'junk-answer', subject: 'a', severity: 'warning', text: 'junk', remedy: 'Look.', since: clock.now() },
  ];
  await clock.advance(10_000);
  assert.equal(notifier.valuesOf('STATUS').at(-1), 'nbrpc: nbrpc is well; 1 warning');
  assert.equal(supervisor.status().warnings[0]?.text, 'junk');
});

test('the status is plain JSON', async () => {
  const { supervisor } = await setUp(two);
  supervisor.start();
  await settle();
  const report = supervisor.status();
  assert.equal(JSON.parse(JSON.stringify(report)).modules[1].health.summary, 'dyndns is well');
  assert.deepEqual([report.version, report.pid, report.config, report.state], ['1.2.3', 42, 'n.toml', 'running']);
});
