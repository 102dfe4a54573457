/** The strict modes under real systemd: a gate that holds a unit back, a slice whose id stays, sets that systemd fills; and the command that scnpm's users run. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allButLate } from './allowed-units.ts';
import { bootContainer, type Container, skip, withBpf } from './container.ts';
import { eventually } from './eventually.ts';
import { connecting, connections, refusing, startServer } from './packets.ts';

const configuration = '/etc/netsteward/netsteward.toml';

/** Packets with the mark of a group are allowed; rules of units have a chain of their own to be written for. */
const ruleset = `${refusing('meta mark & 0x20000 == 0x20000 accept')}
# ruled.service :: add rule inet filter allowed socket cgroupv2 level 2 "system.slice/ruled.service" counter accept
`;

const group = (...units: readonly string[]): string =>
  `[[cgroup-nft.group]]\nname = "held"\nunits = ${JSON.stringify(units)}\nmark = 0x20000\n`;

const files = {
  '/etc/nftables.conf': ruleset,
  [configuration]: group('other.service'),
  '/etc/systemd/system/netsteward.service':
    '[Service]\nType=notify\nExecStart=/usr/local/bin/netsteward run\nExecReload=/usr/local/bin/netsteward reload\n',
};

/** Writes the drop-in that netsteward prints for a unit, and loads it. */
async function install(box: Container, unit: string, ...flags: readonly string[]): Promise<void> {
  const text = await box.run(['netsteward', 'cgroup-nft', 'drop-in', unit, ...flags]);
  await box.write(`/etc/systemd/system/${unit}.d/netsteward.conf`, text);
  await box.run(['systemctl', 'daemon-reload']);
}

/** What systemd has against a unit and its drop-ins. */
async function verify(box: Container, unit: string): Promise<string> {
  const { stdout, stderr } = await box.exec(['systemd-analyze', 'verify', unit]);
  return stdout + stderr;
}

async function property(box: Container, unit: string, name: string): Promise<string> {
  return (await box.run(['systemctl', 'show', '--property', name, '--value', unit])).trim();
}

async function said(box: Container, unit: string): Promise<string> {
  const entries = await box.journal('-u', unit);
  return entries.map(({ MESSAGE }) => String(MESSAGE)).join('\n');
}

describe('strict modes on Debian 12’s systemd', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await bootContainer({ files });
    await box.run(['nft', '-f', '/etc/nftables.conf']);
    await startServer(box);
  });
  after(() => box?.stop());

  test('a gate holds a unit back until its rules are in the kernel, and then lets it start', async () => {
    const unit = 'held.service';
    await box.write(`/etc/systemd/system/${unit}`, `[Service]\nExecStart=${connecting('/run/held.json')}\n`);
    await install(box, unit, '--mode', 'gate', '--timeout', '60s');
    assert.equal(await verify(box, unit), '');
    await box.run(['systemctl', 'start', '--no-block', unit]);
    // The daemon was started with it, and knows nothing of it.
    await eventually('the gate waits', async () => {
      const pid = await property(box, unit, 'ControlPID');
      const ready = (await property(box, 'netsteward.service', 'ActiveState')) === 'active';
      return ready && pid !== '0' ? pid : undefined;
    });
    assert.equal(await property(box, unit, 'ActiveState'), 'activating');
    assert.equal(await property(box, unit, 'MainPID'), '0');
    await box.write(configuration, group(unit));
    await box.run(['systemctl', 'reload', 'netsteward.service']);
    const [made] = await connections(box, '/run/held.json', 1);
    assert.deepEqual([made?.first_result, made?.cgroup], ['connected', `/system.slice/${unit}`]);
    await eventually(
      'the unit is through',
      async () => (await property(box, unit, 'Result')) === 'success' || undefined,
    );
  });

  test('explain and status tell what the gate has waited for', async () => {
    const unit = 'stays.service';
    await box.write(`/etc/systemd/system/${unit}`, '[Service]\nExecStart=/bin/sleep 1000\n');
    await box.write(configuration, `[cgroup-nft]\nfiles = ["/etc/nftables.conf"]\n${group(unit)}`);
    await box.run(['systemctl', 'reload', 'netsteward.service']);
    await install(box, unit, '--mode', 'gate', '--timeout', '20s');
    await box.run(['systemctl', 'start', unit]);
    const explained = await box.run(['netsteward', 'cgroup-nft', 'explain', unit]);
    assert.match(explained, /^stays\.service: active\n {2}cgroup system\.slice\/stays\.service: level 2, id \d+\n/);
    assert.match(explained, /\n {6}in the set inet netsteward-units held\.level2, \d+ packets?, \d+ bytes?\n/);
    assert.match(explained, /\n {4}applied for /);
    const status = await eventually('the margin is measured', async () => {
      const text = await box.run(['netsteward', 'status']);
      return text.includes('before its process began') ? text : undefined;
    });
    assert.match(
      status,
      /\n {2}stays\.service: system\.slice\/stays\.service \(id \d+\), applied for [^,]+, [\d.]+ ms before/,
    );
    assert.match(status, /\n {2}waits for its cgroup:\n {4}ruled\.service \(\/etc\/nftables\.conf:\d+\)\n/);
  });

  test('a unit that nothing names does not start, and its journal says why and what to do', async () => {
    const unit = 'forgotten.service';
    await box.write(`/etc/systemd/system/${unit}`, '[Service]\nExecStart=/bin/touch /run/forgotten\n');
    await install(box, unit, '--mode', 'gate', '--timeout', '1s');
    assert.equal((await box.exec(['systemctl', 'start', unit])).code, 1);
    assert.equal((await box.exec(['test', '-e', '/run/forgotten'])).code, 1);
    const text = await eventually('the reason', async () => {
      const found = await said(box, unit);
      return found.includes('were not there after 1s') ? found : undefined;
    });
    assert.match(text, /no group and no rule of netsteward names its cgroup "system\.slice\/forgotten\.service"/);
    assert.match(text, /See netsteward cgroup-nft explain forgotten\.service/);
  });

  test('a rule whose chain is missing keeps the gate shut', async () => {
    const unit = 'chainless.service';
    await box.write(`/etc/systemd/system/${unit}`, '[Service]\nExecStart=/bin/sleep 1000\n');
    const rule = `# ${unit} :: inet filter nowhere socket cgroupv2 level 2 "system.slice/${unit}" accept\n`;
    await box.write('/etc/netsteward/rules', rule);
    await box.write(configuration, '[cgroup-nft]\nfiles = ["rules"]\n');
    await box.run(['systemctl', 'reload', 'netsteward.service']);
    await install(box, unit, '--mode', 'gate', '--timeout', '1s');
    assert.equal((await box.exec(['systemctl', 'start', unit])).code, 1);
    await install(box, unit, '--mode', 'gate', '--timeout', '60s');
    await box.run(['nft', 'add', 'chain', 'inet', 'filter', 'nowhere']);
    await box.run(['systemctl', 'start', unit]);
  });

  test('a slice of its own keeps its id while its unit restarts and stops', async () => {
    const unit = 'web.service';
    await box.write(`/etc/systemd/system/${unit}`, '[Service]\nExecStart=/bin/sleep 1000\n');
    const text = await box.run(['netsteward', 'cgroup-nft', 'drop-in', unit, '--mode', 'slice']);
    await install(box, unit, '--mode', 'slice');
    assert.equal(await verify(box, unit), '');
    // The commands of the comment, as a reader would paste them.
    const commands = text.split('\n').filter((line) => line.startsWith('#   '));
    await box.run(['sh', '-euc', commands.map((line) => line.slice(4)).join('\n')]);
    const id = (): Promise<string> => box.run(['stat', '-c', '%i', '/sys/fs/cgroup/netsteward_web.slice']);
    const first = await id();
    await box.run(['systemctl', 'start', unit]);
    await box.run(['systemctl', 'restart', unit]);
    assert.equal(await property(box, unit, 'ControlGroup'), `/netsteward_web.slice/${unit}`);
    await box.run(['systemctl', 'stop', unit]);
    await box.run(['systemctl', 'daemon-reload']);
    assert.equal(await id(), first);
  });

  test('NFTSet= that this systemd does not know keeps the unit from starting', async () => {
    const unit = 'filled.service';
    await box.run(['nft', 'add set inet filter units { type cgroupsv2; }']);
    await box.write(`/etc/systemd/system/${unit}`, '[Service]\nExecStart=/bin/sleep 1000\n');
    await install(box, unit, '--mode', 'nftset', '--set', 'inet:filter:units', '--timeout', '1s');
    assert.match(await verify(box, unit), /Unknown key (?:name )?'NFTSet'/);
    assert.equal((await box.exec(['systemctl', 'start', unit])).code, 1);
    await eventually('the reason', async () => {
      const text = await said(box, unit);
      return (
        text.includes(`systemd has not put its cgroup "system.slice/${unit}" into the set inet:filter:units`) ||
        undefined
      );
    });
  });

  test('check tells that a socket-activated service gets its connections in the cgroup of its socket', async () => {
    await box.write('/etc/systemd/system/echo.socket', '[Socket]\nListenStream=127.0.0.1:7777\n');
    await box.write('/etc/systemd/system/echo.service', '[Service]\nExecStart=/bin/sleep 1000\n');
    await box.run(['systemctl', 'daemon-reload']);
    const rule = '# echo.service :: inet filter allowed socket cgroupv2 level 2 "system.slice/echo.service" accept\n';
    await box.write('/etc/echo.conf', `${ruleset}${rule}`);
    const { code, stdout, stderr } = await box.exec(['netsteward', 'cgroup-nft', 'check', '/etc/echo.conf']);
    assert.deepEqual([code, stdout], [0, '/etc/echo.conf: 2 rules of 2 units, 1 note\n']);
    assert.match(
      stderr,
      /note: rule of echo\.service: what comes in through echo\.socket belongs to that unit's cgroup/,
    );
    const { stdout: explained } = await box.exec([
      'netsteward',
      'cgroup-nft',
      'explain',
      '-f',
      '/etc/echo.conf',
      'echo.service',
    ]);
    assert.match(explained, /\n {2}what comes in through echo\.socket has that unit's cgroup/);
  });
});

describe('the command of scnpm', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await bootContainer({ files });
    await box.run(['nft', '-f', '/etc/nftables.conf']);
    await startServer(box);
    const unit = `[Service]\nExecStart=${connecting('/run/ruled.json')}\n`;
    await box.write('/etc/systemd/system/ruled.service', unit);
    await box.run(['systemctl', 'daemon-reload']);
  });
  after(() => box?.stop());

  const applied = (debug: string): boolean => debug.includes('unit-rules-applied');

  test('it is silent while all is well, keeps the rules of its files at their units, and a signal ends it with 0', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const running = box.spawn(['netsteward', 'cgroup-nft', '-u', 'nftables.service', '/etc/nftables.conf'], {
        timeout: 0,
      });
      await eventually('the rules are in place', async () => {
        const text = await box.run(['nft', '-t', 'list', 'chain', 'inet', 'filter', 'allowed']);
        return text.includes('jump netsteward-allowed') || undefined;
      });
      await box.run(['rm', '-f', '/run/ruled.json']);
      await box.run(['systemctl', 'restart', 'ruled.service']);
      const [made] = await connections(box, '/run/ruled.json', 1);
      // How soon is measured elsewhere; without its rule it never gets through.
      assert.equal(typeof made?.first_success, 'number');
      assert.equal(running.kill(signal), true);
      const { code, stdout, stderr } = await running.finished;
      assert.deepEqual([code, stdout, allButLate(stderr)], [0, '', '']);
    }
  });

  test('with --debug it tells what it does, and a SIGHUP makes it read its files again', async () => {
    const file = '/etc/changing.conf';
    await box.write(file, ruleset);
    const running = box.spawn(['netsteward', 'cgroup-nft', '--debug', file], { timeout: 0 });
    await eventually('it tells of the rules', () => applied(running.stderr()) || undefined, {
      details: running.stderr,
    });
    await box.write(file, '# bad.service :: inet filter\n');
    running.kill('SIGHUP');
    await eventually('it refuses the file', () => /FAMILY TABLE CHAIN/.test(running.stderr()) || undefined);
    await box.write(file, ruleset);
    running.kill('SIGHUP');
    await eventually('it takes the file', () => running.stderr().includes('reloaded') || undefined);
    running.kill('SIGTERM');
    assert.equal((await running.finished).code, 0);
  });

  test('a file that is wrong at the start is told with its place, and ends it with 1', async () => {
    await box.write('/etc/bad.conf', '# bad.service :: inet filter\n');
    const { code, stdout, stderr } = await box.exec(['netsteward', 'cgroup-nft', '/etc/bad.conf']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^\/etc\/bad\.conf:1:18: rule of "bad\.service": FAMILY TABLE CHAIN must come before the rule/,
    );
  });
});

describe('strict modes on Debian 13’s systemd', { skip }, () => {
  let box: Container;
  before(
    async () => {
      box = await bootContainer({ tree: 'trixie', nspawn: withBpf });
    },
    { timeout: 230_000 },
  );
  after(() => box?.stop());

  test('systemd fills the set before the unit begins, and the drop-in’s own test lets it start', async () => {
    await box.run(['nft', 'add table inet filter; add set inet filter units { type cgroupsv2; }']);
    await box.write('/etc/systemd/system/filled.service', '[Service]\nExecStart=/bin/sleep 1000\n');
    await install(box, 'filled.service', '--mode', 'nftset', '--set', 'inet:filter:units', '--timeout', '20s');
    assert.equal(await verify(box, 'filled.service'), '');
    await box.run(['systemctl', 'start', 'filled.service']);
    assert.match(await box.run(['nft', 'list', 'set', 'inet', 'filter', 'units']), /"system\.slice\/filled\.service"/);
  });

  test('a set that was flushed is filled again by systemd at a daemon-reload alone, by netsteward at once', async () => {
    const listed = async (): Promise<boolean> =>
      (await box.run(['nft', 'list', 'set', 'inet', 'filter', 'units'])).includes('"system.slice/filled.service"');
    const flush = (): Promise<string> => box.run(['nft', 'flush', 'set', 'inet', 'filter', 'units']);
    await flush();
    assert.equal(await listed(), false);
    await box.run(['systemctl', 'daemon-reload']);
    await eventually('systemd has put it back', listed);
    const rule = '# filled.service :: add element inet filter units { "system.slice/filled.service" }\n';
    await box.write('/etc/both.conf', rule);
    const running = box.spawn(['netsteward', 'cgroup-nft', '--debug', '/etc/both.conf'], { timeout: 0 });
    await eventually('netsteward runs', () => running.stderr().includes('cgroup-applied'), { details: running.stderr });
    await flush();
    await eventually('netsteward has put it back', listed);
    running.kill('SIGTERM');
    assert.equal((await running.finished).code, 0);
  });

  test('the gate of a unit whose processes all start below its cgroup is about the unit', async () => {
    await box.write(configuration, group('below.service'));
    await box.write('/etc/systemd/system/netsteward.service', files['/etc/systemd/system/netsteward.service']);
    const service = '[Service]\nDelegate=yes\nDelegateSubgroup=main\nExecStart=/bin/sleep 1000\n';
    await box.write('/etc/systemd/system/below.service', service);
    await install(box, 'below.service', '--mode', 'gate', '--timeout', '20s');
    await box.run(['systemctl', 'start', 'below.service']);
  });

  test('this nft points at the same words in a check', async () => {
    const rule = (words: string): string =>
      `# a.service :: inet filter allowed socket cgroupv2 level 2 "system.slice/a.service" ${words}\n`;
    await box.write(
      '/etc/rules.conf',
      `${refusing()}${rule('tcp dprt 25 accept')}${rule('tcp dport @nowhere accept')}`,
    );
    const { code, stderr } = await box.exec(['netsteward', 'cgroup-nft', 'check', '/etc/rules.conf']);
    assert.equal(code, 78);
    const marked = stderr.split('\n').flatMap((line, index, all) => {
      const carets = /^ +(\^+)$/.exec(line)?.[1];
      return carets === undefined ? [] : [all[index - 1]?.slice(line.indexOf('^')).slice(0, carets.length)];
    });
    assert.deepEqual(marked, ['dprt', '@nowhere']);
  });
});
