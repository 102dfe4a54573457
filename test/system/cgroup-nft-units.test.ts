/** Units of every kind get through at their first attempt, under real systemd, with real packets through an allow-list. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Allowed, allButLate, allowing, connectingUnit, firstAttempt, refused, service } from './allowed-units.ts';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { connecting, connections } from './packets.ts';

const file = '/run/connection';

interface Kind extends Allowed {
  readonly what: string;
  /** What is started where it is not `unit`. */
  readonly start?: string;
  /** The cgroup that its process is in; without it, `path`. */
  readonly cgroup?: string;
  /** Name of the unit file where it is not that of what is started. */
  readonly template?: string;
  readonly text?: string;
}

const simple = connectingUnit(file);

function kind(what: string, unit: string, more: Partial<Kind> = {}): Kind {
  return { what, unit, path: `system.slice/${unit}`, text: simple, ...more };
}

const kinds: readonly Kind[] = [
  kind('a service of Type=simple', 'simple.service'),
  kind('a service of Type=exec', 'exec.service', { text: connectingUnit(file, { extra: 'Type=exec' }) }),
  kind('a service of Type=oneshot', 'once.service', { text: connectingUnit(file, { extra: 'Type=oneshot' }) }),
  kind('a service of Type=notify', 'told.service', {
    text: connectingUnit(file, { flags: '-n -s', extra: 'Type=notify' }),
  }),
  kind('a service of Type=forking', 'forked.service', {
    text: `[Service]\nType=forking\nExecStart=/bin/sh -c "${connecting(file, '-t 3')} &"\n`,
  }),
  kind('the command before a service’s own', 'prepared.service', {
    text: `${simple}ExecStart=\nExecStartPre=${connecting(file, '-t 3')}\nExecStart=/bin/true\nType=oneshot\n`,
  }),
  kind('an instance of a template', 'template@one.service', {
    path: 'system.slice/system-template.slice/template@one.service',
    template: 'template@.service',
  }),
  kind('any instance of a template', 'globbed@*.service', {
    path: 'system.slice/system-globbed.slice/globbed@*.service',
    start: 'globbed@seven.service',
    cgroup: 'system.slice/system-globbed.slice/globbed@seven.service',
    template: 'globbed@.service',
  }),
  kind('an instance whose names are escaped', String.raw`two-words@dev-disk\x2dby.service`, {
    path: String.raw`system.slice/system-two\x2dwords.slice/two-words@dev-disk\x2dby.service`,
    template: 'two-words@.service',
  }),
  kind('any of some units whose names are escaped', 'odd-*@*.service', {
    path: String.raw`system.slice/system-odd\x2d*.slice/odd-*@*.service`,
    start: String.raw`odd-pair@dev-disk\x2dby.service`,
    cgroup: String.raw`system.slice/system-odd\x2dpair.slice/odd-pair@dev-disk\x2dby.service`,
    template: 'odd-pair@.service',
    trigger: 'odd-pair@x.service',
  }),
  kind('a unit named like a file of its cgroup', 'memory.service', { path: 'system.slice/_memory.service' }),
  kind('a unit whose name begins with _', '_memory.service', { path: 'system.slice/__memory.service' }),
  kind('any of some units named like files of their cgroups', 'cpu*.service', {
    path: 'system.slice/_cpu*.service',
    start: 'cpu.service',
    cgroup: 'system.slice/_cpu.service',
    trigger: 'cpu.service',
  }),
  kind('a process below the cgroup of its unit', 'delegated.service', {
    cgroup: 'system.slice/delegated.service/.control',
    text: `[Service]\nDelegate=yes\nExecStart=sleep 1000\nExecStartPost=${connecting(file, '-t 3')}\n`,
  }),
  kind('a unit in a slice that is allowed', 'lone.slice', {
    path: 'lone.slice',
    start: 'inhabitant.service',
    cgroup: 'lone.slice/inhabitant.service',
    text: connectingUnit(file, { extra: 'Slice=lone.slice' }),
  }),
  kind('a unit in a slice below the one that is allowed', 'upper.slice', {
    path: 'upper.slice',
    start: 'lower.service',
    cgroup: 'upper.slice/upper-lower.slice/lower.service',
    text: connectingUnit(file, { extra: 'Slice=upper-lower.slice' }),
  }),
  kind('a unit of any slice', 'any.slice/*.service', {
    path: 'any.slice/*.service',
    start: 'in-any.service',
    cgroup: 'any.slice/in-any.service',
    text: connectingUnit(file, { extra: 'Slice=any.slice' }),
    trigger: 'in-any.service',
  }),
];

/** Each is started by a connection to its socket; the triggers of the rules are the sockets. */
const woken: Allowed = { unit: 'woken.service', path: 'system.slice/woken.service', trigger: 'woken.socket' };
const each: Allowed = {
  unit: 'each@*.service',
  path: 'system.slice/system-each.slice/each@*.service',
  trigger: 'each.socket',
};
const scope: Allowed = { unit: 'batch-*.scope', path: 'system.slice/batch-*.scope', trigger: 'batch.scope' };
const again: Allowed = { unit: 'again.service', path: 'system.slice/again.service' };
/** Restarted at once, whatever came of it; the number of each run's cgroup is written down. */
const restarting =
  'Restart=always\nRestartSec=10ms\n' +
  `ExecStopPost=/bin/sh -c 'stat -c %%i /sys/fs/cgroup/${again.path} >> /run/again.ids'`;

const files = Object.fromEntries([
  ...kinds.map(({ unit, start = unit, template = start, text = simple }) => [`/etc/systemd/system/${template}`, text]),
  ['/etc/systemd/system/stranger.service', connectingUnit(file).replace('-t 3', '-t 0.1')],
  ['/etc/systemd/system/again.service', connectingUnit('/run/again', { extra: restarting })],
  ['/etc/systemd/system/woken.socket', '[Socket]\nListenStream=127.0.0.1:7100\n'],
  // It leaves the connection where it is: as long as it runs, its socket does not start it again.
  ['/etc/systemd/system/woken.service', `[Service]\nExecStartPre=${connecting(file, '-t 3')}\nExecStart=sleep 1000\n`],
  ['/etc/systemd/system/each.socket', '[Socket]\nListenStream=127.0.0.1:7101\nAccept=yes\n'],
  ['/etc/systemd/system/each@.service', simple],
]);

/** A rule's trigger is no glob. */
const withTrigger = (one: Allowed): Allowed => ({
  ...one,
  trigger: one.trigger ?? one.unit.replaceAll('*', 'x'),
});

for (const [tree, way] of [
  ['bookworm', 'groups'],
  ['bookworm', 'comments'],
  ['trixie', 'groups'],
  ['trixie', 'comments'],
] as const) {
  describe(`with ${way}, in ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      box = await allowing({ tree, way, allowed: [...kinds, scope, again, woken, each].map(withTrigger), files });
    });
    after(() => box?.stop());

    for (const { what, unit, path, start = unit, cgroup = path } of kinds) {
      test(`${what} gets through at its first attempt`, async () => {
        const made = await firstAttempt(box, file, () => box.run(['systemctl', 'restart', start]));
        assert.equal(made.cgroup, `/${cgroup}`);
      });
    }

    test('a scope of systemd-run gets through at its first attempt', async () => {
      let count = 0;
      const made = await firstAttempt(box, file, () => {
        count += 1;
        const argv = connecting(file, '-t 3').split(' ').filter(Boolean);
        return box.run(['systemd-run', '--quiet', '--scope', `--unit=batch-${count}.scope`, ...argv]);
      });
      assert.match(made.cgroup, /^\/system\.slice\/batch-\d\.scope$/);
    });

    test('a service that systemd restarts by itself gets through each time', async () => {
      await box.run(['systemctl', 'start', 'again.service']);
      const made = await eventually('five first attempts get through', async () => {
        const all = await connections(box, '/run/again', 5);
        return all.filter(({ first_result }) => first_result === 'connected').length >= 5 && all;
      });
      await box.run(['systemctl', 'stop', 'again.service']);
      assert.ok(made.every(({ first_success }) => first_success !== null));
      assert.equal(new Set(made.map(({ pid }) => pid)).size, made.length);
      // Not one cgroup that just stayed.
      const ids = (await box.read('/run/again.ids')).split('\n').filter(Boolean);
      assert.ok(new Set(ids).size >= 5, `${ids}`);
    });

    test('what a service opens that its socket has started gets through at its first attempt', async () => {
      const made = await firstAttempt(box, file, async () => {
        await box.run(['systemctl', 'stop', 'woken.socket', 'woken.service']);
        await box.run(['systemctl', 'start', 'woken.socket']);
        await box.run(['bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/7100']);
      });
      assert.equal(made.cgroup, `/${woken.path}`);
      await box.run(['systemctl', 'stop', 'woken.socket', 'woken.service']);
    });

    test('a service that is there for one connection of its socket gets through at its first attempt', async () => {
      await box.run(['systemctl', 'start', 'each.socket']);
      const made = await firstAttempt(box, file, () => box.run(['bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/7101']));
      assert.match(made.cgroup, /^\/system\.slice\/system-each\.slice\/each@.*127\.0\.0\.1:7101.*\.service$/);
    });

    test('a unit that nothing allows stays refused', async () => {
      await refused(box, file, () => box.run(['systemctl', 'restart', 'stranger.service']));
    });

    test('nothing is warned of but late starts', async () => {
      const entries = await box.journal('-u', service, '-p', 'warning');
      const said = entries.map(({ MESSAGE }) => allButLate(String(MESSAGE))).filter(Boolean);
      assert.deepEqual(said, []);
    });
  });
}
