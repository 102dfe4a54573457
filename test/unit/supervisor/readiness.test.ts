/** What the service manager is told of a start: READY, more time, the watchdog; and what a module that must start decides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { settle } from '../../fakes/fake-clock.ts';
import { setUp, two } from './supervisor-of-fakes.ts';

test('READY comes once, after every module has started', async () => {
  const { supervisor, notifier, nbrpc, clock, file, log } = await setUp(two);
  nbrpc.hangOnStart = true;
  supervisor.start();
  await clock.advance(60_000);
  assert.deepEqual(notifier.valuesOf('READY'), []);
  assert.equal(supervisor.status().ready, false);
  nbrpc.hangOnStart = false;
  file.text = two.replace('a = 1', 'a = 2');
  await supervisor.reload();
  await settle();
  assert.deepEqual(notifier.valuesOf('READY'), ['1']);
  assert.equal(supervisor.status().ready, true);
  assert.equal(log.of('ready').length, 1);
  assert.equal(notifier.valuesOf('STATUS').at(-1), 'nbrpc: nbrpc is well; dyndns: dyndns is well');
  nbrpc.crash(new Error('boom'));
  await clock.advance(5000);
  assert.deepEqual(notifier.valuesOf('READY'), ['1']);
});

test('a module that failed to start keeps READY back from nobody, and the log says ready once it runs too', async () => {
  const { supervisor, notifier, nbrpc, dyndns, clock, log } = await setUp(two);
  nbrpc.startErrors = [new Error('not yet')];
  supervisor.start();
  await settle();
  assert.deepEqual(dyndns.calls, ['start {"b":1}']);
  assert.deepEqual(notifier.valuesOf('READY'), ['1']);
  assert.match(
    notifier.valuesOf('STATUS').at(-1) ?? '',
    /^nbrpc: ended \(not yet\), starts again; dyndns: dyndns is well/,
  );
  assert.equal(supervisor.status().ready, false);
  assert.equal(log.of('ready').length, 0);
  await clock.advance(1000);
  assert.equal(supervisor.status().ready, true);
  assert.deepEqual(notifier.valuesOf('READY'), ['1']);
  assert.equal(log.of('ready').length, 1);
});

test('READY waits for a module that takes long, though another one has failed and tries again meanwhile', async () => {
  const { supervisor, notifier, nbrpc, dyndns, clock } = await setUp(two);
  nbrpc.startErrors = Array.from({ length: 20 }, () => new Error('no'));
  dyndns.hangOnStart = true;
  supervisor.start();
  await clock.advance(120_000);
  assert.deepEqual(notifier.valuesOf('READY'), []);
  await supervisor.stop();
});

test('a start that takes long asks the service manager for more time, and no more of it once it is over', async () => {
  const { supervisor, notifier, nbrpc, clock, file } = await setUp(two);
  nbrpc.hangOnStart = true;
  supervisor.start();
  await clock.advance(30_000);
  assert.deepEqual(notifier.valuesOf('EXTEND_TIMEOUT_USEC'), ['45000000', '45000000']);
  nbrpc.hangOnStart = false;
  file.text = two.replace('a = 1', 'a = 2');
  await supervisor.reload();
  await clock.advance(30_000);
  assert.equal(notifier.valuesOf('EXTEND_TIMEOUT_USEC').length, 2);
  assert.equal(notifier.valuesOf('WATCHDOG').length, 4);
});

test('a module of must_start that cannot start ends the service, with its reason, and READY is never told', async () => {
  const { supervisor, notifier, nbrpc, dyndns, clock } = await setUp(`[supervisor]\nmust_start = ["nbrpc"]\n${two}`);
  nbrpc.startErrors = [new NetstewardError('set-missing', 'no set blocked4')];
  supervisor.start();
  const failure = await supervisor.failed;
  assert.equal(failure.message, 'nbrpc cannot start: no set blocked4');
  await supervisor.stop();
  assert.equal(dyndns.calls.at(-1), 'stop shutdown');
  assert.deepEqual(notifier.valuesOf('READY'), []);
  assert.equal(clock.waiting, 0);
});

test('a module of must_start that crashes later is started again like any other', async () => {
  const { supervisor, nbrpc, clock } = await setUp(`[supervisor]\nmust_start = ["nbrpc"]\n${two}`);
  let failed = false;
  void supervisor.failed.then(() => {
    failed = true;
  });
  supervisor.start();
  await settle();
  nbrpc.crash(new Error('boom'));
  await clock.advance(1000);
  assert.equal(supervisor.status().ready, true);
  assert.equal(failed, false);
});
