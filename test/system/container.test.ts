/** The container that the other tests of this folder stand on is what its description says. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { unifiedMount } from './cgroup-of-test.ts';
import { bootContainer, type Container, skip, withBpf } from './container.ts';
import { eventually } from './eventually.ts';
import { connecting, connections, refusing, serverAddress6, serverPorts, startServer, watching } from './packets.ts';
import { type UserSession, userSession } from './user-session.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

/** The first start of a tree on a machine makes it: about a minute each. */
const patient = { timeout: 230_000 };

for (const tree of ['host', 'bookworm', 'trixie'] as const) {
  describe(`a container of tree ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      box = await bootContainer({
        tree,
        files: {
          '/etc/systemd/system/early.service': '[Service]\nType=oneshot\nExecStart=/usr/local/bin/early\n',
          '/usr/local/bin/early': '#!/bin/sh\necho early bird\n',
        },
      });
    }, patient);
    after(() => box?.stop());

    test('has systemd as pid 1, and all that it starts has started', async () => {
      assert.equal(box.state, 'running', await box.run(['systemctl', '--failed', '--no-legend']));
      assert.equal(await box.read('/proc/1/comm'), 'systemd\n');
      const expected = { host: '25[0-9]', bookworm: '252', trixie: '257' }[tree];
      assert.match(await box.run(['systemctl', '--version']), new RegExp(`^systemd ${expected}`));
    });

    test('starts units whose files were there before it, and journald keeps what they say', async () => {
      await box.run(['systemctl', 'start', 'early.service']);
      const said = await eventually('the unit’s line', async () => {
        const entries = await box.journal('_SYSTEMD_UNIT=early.service');
        return entries.find((entry) => entry.MESSAGE === 'early bird');
      });
      assert.equal(said._TRANSPORT, 'stdout');
      const jobs = await box.journal('UNIT=early.service', 'SYSLOG_IDENTIFIER=systemd', '_SYSTEMD_UNIT=init.scope');
      assert.ok(
        jobs.some((entry) => entry.JOB_RESULT === 'done' && entry.JOB_TYPE === 'start'),
        JSON.stringify(jobs),
      );
    });

    test('runs this build of netsteward', async () => {
      assert.equal(await box.run(['netsteward', '--version']), `${version}\n`);
    });

    test('gives exit codes, both outputs and standard input, and ends what takes too long', async () => {
      const script = 'cat; echo problem >&2; exit 7';
      const done = await box.exec(['sh', '-c', script], { stdin: 'given\n' });
      assert.deepEqual(done, { code: 7, stdout: 'given\n', stderr: 'problem\n' });
      await assert.rejects(box.exec(['sh', '-c', 'sleep 1001 & wait'], { timeout: 200 }), /not done in 200 ms/);
      assert.equal((await box.exec(['pgrep', '-f', 'sleep 1001'])).code, 1);
    });

    test('signals a program that was left running', async () => {
      const running = box.spawn([
        'sh',
        '-c',
        'trap "echo told; exit 3" TERM; echo ready; while :; do sleep 0.05; done',
      ]);
      await eventually('the program has begun', () => running.stdout() === 'ready\n');
      assert.equal(running.kill('SIGTERM'), true);
      assert.deepEqual(await running.finished, { code: 3, stdout: 'ready\ntold\n', stderr: '' });
    });

    test('writes files, the folders above them too', async () => {
      await box.write('/etc/some/where/said.sh', '#!/bin/sh\necho said\n');
      assert.equal(await box.run(['/etc/some/where/said.sh']), 'said\n');
      assert.equal(existsSync('/etc/some/where'), false);
      await assert.rejects(box.read('/etc/nowhere'), /No such file/);
    });

    test('has a cgroup tree of its own, and nft knows it', async () => {
      assert.match(await box.read('/proc/self/mounts'), /^\S+ \/sys\/fs\/cgroup cgroup2 rw/m);
      await box.run(['systemd-run', '--quiet', '--unit=sleeper', 'sleep', '1000']);
      const inside = await box.run(['stat', '-c', '%i', '/sys/fs/cgroup/system.slice/sleeper.service']);
      assert.equal(Number(inside), statSync(join(box.cgroup, 'system.slice', 'sleeper.service')).ino);
      const rule = (unit: string): string =>
        `add table inet t; add chain inet t c; add rule inet t c socket cgroupv2 level 2 "system.slice/${unit}" accept`;
      await box.run(['nft', '-f', '-'], { stdin: rule('sleeper.service') });
      assert.match(await box.run(['nft', 'list', 'table', 'inet', 't']), /"system.slice\/sleeper.service" accept/);
      const refused = await box.exec(['nft', '-f', '-'], { stdin: rule('missing.service') });
      assert.match(refused.stderr, /cgroupv2 path fails: No such file or directory/);
      await box.run(['nft', 'delete', 'table', 'inet', 't']);
    });

    test('lets a unit through just while a rule of its cgroup allows it', async () => {
      await startServer(box);
      await box.run(['nft', '-f', '-'], { stdin: refusing() });
      const client = async (flags: string): Promise<void> => {
        // READY=1 comes after the first attempt: a start that is over has made it.
        const unit = `[Service]\nType=notify\nExecStart=${connecting('/run/client.json', `-n ${flags}`)}\n`;
        await box.write('/run/systemd/system/client.service', unit);
        await box.run(['systemctl', 'daemon-reload']);
        await box.run(['systemctl', 'restart', 'client.service']);
      };
      await client('-s');
      const allow = 'add rule inet filter allowed socket cgroupv2 level 2 "system.slice/client.service" accept';
      await box.run(['nft', allow]);
      const [made] = await connections(box, '/run/client.json', 1);
      assert.equal(made?.cgroup, '/system.slice/client.service');
      assert.equal(made.first_result, 'refused');
      assert.ok(made.attempts > 1 && made.first_success !== null && made.first_success > made.first_end);
      // Another cgroup, and the same unit in its next life: the rule is of neither.
      await box.exec(['first-connection', '-t', '0.05', '/run/client.json', serverAddress6, `${serverPorts[1]}`]);
      await client('-t 0.05');
      const [, other, again] = await connections(box, '/run/client.json', 3);
      assert.deepEqual([other?.first_result, other?.first_success], ['refused', null]);
      assert.deepEqual([again?.first_result, again?.first_success], ['refused', null]);
    });

    test('shows each interruption to a watch', async () => {
      await box.run(['nft', '-f', '-'], { stdin: refusing('accept') });
      const watch = await watching(box);
      await box.run(['nft', 'flush', 'chain', 'inet', 'filter', 'allowed']);
      await box.run(['nft', 'add', 'rule', 'inet', 'filter', 'allowed', 'accept']);
      const seen = await watch.stop();
      assert.deepEqual(
        seen.changes.map(({ result }) => result),
        ['sent', 'Operation not permitted', 'sent'],
      );
      assert.ok(seen.sent > 0 && seen.failed > 0);
      const [, from, to] = seen.changes;
      assert.ok(from !== undefined && to !== undefined && seen.longest_gap >= to.at - from.at);
    });
  });
}

for (const tree of ['bookworm', 'trixie'] as const) {
  describe(`a user's session in tree ${tree}`, { skip }, () => {
    let box: Container;
    let alice: UserSession;
    before(async () => {
      box = await bootContainer({ tree });
      alice = await userSession(box);
    }, patient);
    after(() => box?.stop());

    test('starts units below the user manager', async () => {
      await alice.run(['systemd-run', '--user', '--quiet', '--unit=mine', 'sleep', '1000']);
      const folder = join(box.cgroup, alice.cgroup, 'app.slice', 'mine.service');
      assert.ok(existsSync(folder), folder);
      const started = await eventually('the user manager’s own word of it', async () => {
        const entries = await box.journal('USER_UNIT=mine.service', '_SYSTEMD_USER_UNIT=init.scope');
        return entries.find((entry) => entry.JOB_RESULT === 'done');
      });
      assert.equal(started._UID, `${alice.uid}`);
    });

    test('can be reached from root’s side', async () => {
      const active = ['systemctl', '--user', `--machine=${alice.name}@`, 'is-active', 'default.target'];
      assert.equal(await box.run(active), 'active\n');
    });

    test('ends and begins again with its cgroups', async () => {
      const folder = join(box.cgroup, alice.cgroup);
      const before = statSync(folder).ino;
      await alice.end();
      assert.equal(existsSync(folder), false);
      await alice.begin();
      assert.notEqual(statSync(folder).ino, before);
    });
  });
}

describe('NFTSet= of systemd 257', { skip }, () => {
  for (const [words, nspawn] of [
    ['fills a set where systemd may load BPF programs', withBpf],
    ['is the silent no-op that it is elsewhere, but where the container has cgroup controllers', []],
  ] as const) {
    test(words, patient, async () => {
      const service = `[Service]\nNFTSet=cgroup:inet:filter:units\nExecStart=${connecting('/run/x.json', '-t 0.05')}\n`;
      const box = await bootContainer({ tree: 'trixie', nspawn, files: { '/etc/systemd/system/x.service': service } });
      try {
        await startServer(box);
        const ruleset = refusing('socket cgroupv2 level 2 @units accept', {
          before: '  set units { type cgroupsv2; }',
        });
        await box.run(['nft', '-f', '-'], { stdin: ruleset });
        await box.run(['systemctl', 'start', 'x.service']);
        const [made] = await connections(box, '/run/x.json', 1);
        const controllers = await box.read('/sys/fs/cgroup/cgroup.controllers');
        const reached = nspawn === withBpf || /\b(cpu|memory|pids)\b/.test(controllers);
        assert.equal(made?.first_result, reached ? 'connected' : 'refused');
      } finally {
        await box.stop();
      }
    });
  }
});

describe('containers side by side', { skip }, () => {
  test('share no cgroup, no network and no files', async () => {
    const both = await Promise.all([bootContainer(), bootContainer()]);
    try {
      const [one, other] = both;
      assert.notEqual(one.cgroup, other.cgroup);
      await one.run(['systemd-run', '--quiet', '--unit=only-here', 'sleep', '1000']);
      await one.run(['nft', 'add', 'table', 'inet', 'only-here']);
      await one.write('/usr/local/bin/only-here', '#!/bin/sh\n');
      const path = 'system.slice/only-here.service';
      assert.deepEqual(
        both.map(({ cgroup }) => existsSync(join(cgroup, path))),
        [true, false],
      );
      assert.equal((await other.exec(['test', '-e', `/sys/fs/cgroup/${path}`])).code, 1);
      assert.equal(await other.run(['nft', 'list', 'ruleset']), '');
      assert.equal((await other.exec(['test', '-e', '/usr/local/bin/only-here'])).code, 1);
    } finally {
      await Promise.all(both.map((box) => box.stop()));
    }
  });

  test('leave nothing behind when they stop', async () => {
    const box = await bootContainer();
    await box.run(['systemd-run', '--quiet', 'sh', '-c', 'trap "" TERM; sleep 1000']);
    await box.stop();
    await box.stop();
    assert.equal(existsSync(`/proc/${box.pid}`), false);
    assert.equal(existsSync(join(unifiedMount ?? '', box.name)), false);
  });

  test('end with a test process that is killed', async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('container-child.js', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve));
    const { name, pid } = JSON.parse(line) as { name: string; pid: number };
    assert.equal(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'systemd\n');
    child.kill('SIGKILL');
    await eventually('its cgroup is gone', () => !existsSync(join(unifiedMount ?? '', name)));
  });

  test('sweep up what a killed process and its guard left', async () => {
    // A pid that is no process: this one has ended.
    const { pid } = spawnSync('true');
    const left = join(unifiedMount ?? '', `netsteward-test-${pid}-1`);
    mkdirSync(join(left, 'payload', 'system.slice'), { recursive: true });
    const box = await bootContainer();
    await box.stop();
    assert.equal(existsSync(left), false);
  });

  test('say why they did not boot', async () => {
    const broken = bootContainer({ nspawn: ['--bind-ro=/no/such/folder:/x'] });
    await assert.rejects(broken, /did not boot: systemd-nspawn ended\n.*\/no\/such\/folder/s);
  });
});
