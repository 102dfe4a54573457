/** One resolver under watch on a fake clock: who is asked when, what is told, the fallback and its way back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResult, FailureKind } from '../../../src/dnstest/check-result.ts';
import type { Cure } from '../../../src/dnstest/cures.ts';
import { ResolverWatch } from '../../../src/dnstest/resolver-watch.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeSwitchFiles } from '../../fakes/fake-switch-files.ts';

const minute = 60_000;
const common = { timeout: 1000, settle: 1000 };
const restart: Cure = { kind: 'restart', unit: 'unbound.service', ...common };
const hook: Cure = { kind: 'hook', command: ['mend'], ...common };
const fallback: Cure = {
  kind: 'fallback',
  file: '/etc/resolv.conf',
  content: 'nameserver 192.0.2.53\n',
  command: [],
  resolver: undefined,
  ...common,
};

interface Scene {
  /** What the next checks come to; the last one stays. */
  sick: FailureKind | undefined;
  control?: CheckResult['control'];
  network: boolean;
  /** What a command does to the scene. */
  effects: Readonly<Record<string, () => void>>;
}

function setUp(cures: readonly Cure[], files: Readonly<Record<string, string>> = {}) {
  const clock = new FakeClock();
  const scene: Scene = { sick: undefined, network: true, effects: {} };
  const told: string[] = [];
  const ran: string[] = [];
  const asked = { network: 0, check: 0 };
  const switches = new FakeSwitchFiles(files);
  const settings = {
    interval: minute,
    retries: 2,
    timeout: 10_000,
    rest: 15 * minute,
    longestRest: 60 * minute,
    calm: 60 * minute,
    grace: 0,
  };
  const ports = {
    clock,
    switches,
    commands: {
      run: async ({ argv }: { readonly argv: readonly string[] }) => {
        const words = argv.join(' ');
        ran.push(words);
        scene.effects[words]?.();
        return { ok: true as const };
      },
    },
    checkOther: () => Promise.reject(new Error('not asked in this test')),
    check: async (): Promise<CheckResult> => {
      asked.check += 1;
      const failure = scene.sick === undefined ? undefined : { kind: scene.sick, text: `it is ${scene.sick}` };
      return { at: clock.monotonic(), elapsed: 3, name: 'x.test', failure, control: scene.control };
    },
    network: async () => {
      asked.network += 1;
      return scene.network ? { up: true as const } : { up: false as const, reason: 'the line is dead' };
    },
    tell: (kind: string, text: string) => void told.push(`${kind}: ${text}`),
    changed: () => {},
  };
  const make = (): ResolverWatch => new ResolverWatch({ label: 'r', settings, cures }, ports);
  const watch = make();
  const stop = new AbortController();
  const run = (which = watch): Promise<void> => which.run(stop.signal).catch(() => {});
  return { clock, scene, told, ran, asked, switches, watch, run, stop, make };
}

test('a healthy resolver is only ever checked: no guard, no cure, no word', async () => {
  const { clock, told, ran, asked, run, stop } = setUp([restart]);
  const running = run();
  await clock.advance(24 * 60 * minute);
  assert.deepEqual([told, ran, asked.network], [[], [], 0]);
  assert.equal(asked.check, 24 * 60 + 1);
  stop.abort();
  await running;
});

test('a resolver that hangs is cured by the second cure, and left alone from then on', async () => {
  const { clock, scene, told, ran, run, stop, watch } = setUp([hook, restart]);
  const running = run();
  await clock.advance(minute);
  scene.sick = 'timeout';
  scene.effects = { 'systemctl restart -- unbound.service': () => (scene.sick = undefined) };
  await clock.advance(3 * 60 * minute);
  assert.deepEqual(told, [
    'failed: it is timeout',
    'cure: trying hook (mend)',
    'cure: trying restart of unbound.service',
    'cured: it answers right again after restart of unbound.service',
  ]);
  assert.deepEqual(ran, [
    'mend',
    'systemctl is-failed --quiet -- unbound.service',
    'systemctl restart -- unbound.service',
  ]);
  assert.equal(watch.state.failing, undefined);
  stop.abort();
  await running;
});

test('while the network is down nothing is cured; a wrong address proves that it is up, so nobody asks', async () => {
  const { clock, scene, told, ran, asked, run, stop } = setUp([hook]);
  scene.sick = 'timeout';
  scene.network = false;
  const running = run();
  await clock.advance(10 * minute);
  assert.deepEqual([told, ran], [['excused: the line is dead'], []]);
  const { network } = asked;
  scene.sick = 'wrong';
  await clock.advance(2 * minute);
  assert.deepEqual(ran, ['mend']);
  assert.equal(asked.network, network);
  stop.abort();
  await running;
});

test('while the test zone is down nothing is cured', async () => {
  const { clock, scene, told, ran, run, stop } = setUp([hook, restart]);
  scene.sick = 'servfail';
  scene.control = 'failed';
  const running = run();
  await clock.advance(24 * 60 * minute);
  assert.deepEqual([told.length, ran], [1, []]);
  assert.match(told[0] ?? '', /^excused: the zone’s own server does not give the right answer either/);
  stop.abort();
  await running;
});

test('a day of failing takes a few rounds of cures, with rests that are told', async () => {
  const { clock, scene, told, ran, run, stop } = setUp([hook]);
  scene.sick = 'refused';
  const running = run();
  await clock.advance(24 * 60 * minute);
  assert.ok(ran.length >= 20 && ran.length <= 27, `${ran.length} cures`);
  assert.equal(told.filter((text) => text.startsWith('failed')).length, 1);
  assert.equal(told[2], 'rest: every cure was tried, none is tried again for 15m');
  assert.equal(told.filter((text) => text.startsWith('rest')).length, ran.length);
  stop.abort();
  await running;
});

test('a fallback is put back when the first resolver has answered right as often as a recovery takes', async () => {
  const { clock, scene, told, switches, run, stop, watch } = setUp([fallback], { '/etc/resolv.conf': 'first\n' });
  scene.sick = 'servfail';
  const running = run();
  await clock.advance(minute);
  assert.equal(switches.files.get('/etc/resolv.conf'), 'nameserver 192.0.2.53\n');
  assert.deepEqual(watch.switched, ['/etc/resolv.conf']);
  scene.sick = undefined;
  await clock.advance(minute);
  assert.equal(switches.files.get('/etc/resolv.conf'), 'nameserver 192.0.2.53\n', 'put back too soon');
  await clock.advance(2 * minute);
  assert.equal(switches.files.get('/etc/resolv.conf'), 'first\n');
  assert.deepEqual(told.at(-1), 'put-back: /etc/resolv.conf is as it was before the fallback');
  stop.abort();
  await running;
});

test('a fallback that an earlier process left is put back, too', async () => {
  const { clock, switches, make, stop } = setUp([fallback], { '/etc/resolv.conf': 'first\n' });
  await switches.switchTo('/etc/resolv.conf', 'nameserver 192.0.2.53\n');
  const running = make()
    .run(stop.signal)
    .catch(() => {});
  await clock.advance(3 * minute);
  assert.equal(switches.files.get('/etc/resolv.conf'), 'first\n');
  stop.abort();
  await running;
});

test('without cures it can end when the resolver has failed, as the original does', async () => {
  const { clock, scene, watch } = setUp([]);
  scene.sick = 'timeout';
  let ended = false;
  const running = watch.run(new AbortController().signal, { untilFailed: true }).then(() => {
    ended = true;
  });
  await clock.advance(9999);
  assert.equal(ended, false);
  await clock.advance(1);
  await settle();
  assert.equal(ended, true);
  await running;
});
