/** The drop-in's command line on real systemd: what each flag and signal does, what is said and what is not. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { allButLate, comment, connectingUnit, firstAttempt, hasJump, jumped, ruleFile } from './allowed-units.ts';
import { bootContainer, type Container, skip, withBpf } from './container.ts';
import { eventually } from './eventually.ts';
import type { Command } from './inside.ts';
import { refusing, startServer } from './packets.ts';

const file = '/run/connection';
const unit = 'client.service';
const path = `system.slice/${unit}`;
const rule = comment({ unit, path });

const oneshot = '[Service]\nType=oneshot\nExecStart=/bin/true\n';

const files = {
  '/etc/systemd/system/client.service': connectingUnit(file),
  '/etc/systemd/system/sleeper.service': '[Service]\nExecStart=/bin/sleep 1000\n',
  '/etc/systemd/system/one.service': oneshot,
  '/etc/systemd/system/other.service': oneshot,
};

describe('the drop-in', { skip }, () => {
  let box: Container;
  let running: Command | undefined;
  before(async () => {
    box = await bootContainer({ tree: 'bookworm', files });
    await startServer(box);
  });
  after(() => box?.stop());
  afterEach(async () => {
    running?.kill('SIGTERM');
    await running?.finished;
    running = undefined;
  });

  /** Loads a ruleset, then starts the drop-in for it. */
  async function dropIn(text: string, ...flags: readonly string[]): Promise<Command> {
    await box.write(ruleFile, text);
    await box.run(['nft', '-f', ruleFile]);
    running = box.spawn(['nice', '-n', '-20', 'netsteward', 'cgroup-nft', ...flags, ruleFile]);
    return running;
  }

  const chain = async (name = 'allowed'): Promise<string> =>
    box.run(['nft', '-s', 'list', 'chain', 'inet', 'filter', name]);
  const client = (): Promise<string> => box.run(['systemctl', 'restart', unit]);
  const start = (name: string): Promise<string> => box.run(['systemctl', 'start', name]);
  /** Whether the journal is followed yet shows in what an entry does, so it is tried until then. */
  const untilFollowed = (name: string, seen: () => boolean | Promise<boolean>): Promise<boolean> =>
    eventually(`a job of ${name} is noticed`, async () => {
      await start(name);
      return seen();
    });
  const said = ({ stdout, stderr }: Command): string => stdout() + stderr();

  test('says nothing while all is well, and ends with 0 at SIGTERM and at SIGINT; the rules stay', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const command = await dropIn(rule + refusing());
      await jumped(box);
      await firstAttempt(box, file, client);
      assert.equal(command.kill(signal), true);
      const { code, stdout, stderr } = await command.finished;
      assert.deepEqual([code, stdout, allButLate(stderr)], [0, '', '']);
      assert.equal(await hasJump(box), true);
    }
  });

  test('refuses a flag that it does not know, and to run without a file, with 1', async () => {
    for (const argv of [['--flash', ruleFile], ['-c', 'soon', ruleFile], ['-u'], []]) {
      const { code, stdout, stderr } = await box.exec(['netsteward', 'cgroup-nft', ...argv]);
      assert.deepEqual([code, stdout], [1, ''], argv.join(' '));
      assert.notEqual(stderr, '');
    }
    const help = await box.exec(['netsteward', 'cgroup-nft', '-h']);
    assert.deepEqual([help.code, help.stderr], [0, '']);
    for (const flag of ['--flush', '--reload-with-unit', '--reapply-with-unit', '--cooldown', '--debug'])
      assert.ok(help.stdout.includes(flag));
  });

  test('leaves what the administrator has in the chain, and with --flush takes it out', async () => {
    const text = rule + refusing('tcp dport 7004 accept comment "by hand"');
    await dropIn(text);
    await jumped(box);
    assert.match(await chain(), /by hand.*\n.*jump netsteward-allowed/);
    running?.kill('SIGTERM');
    await running?.finished;
    await dropIn(text, '--flush');
    await eventually('the chain is flushed', async () => !(await chain()).includes('by hand'));
    assert.equal(await hasJump(box), true);
    await firstAttempt(box, file, client);
  });

  test('with --flush, ends when a chain is missing; without, says so and goes on with the others', async () => {
    const text = `# ${unit} :: add rule inet filter nowhere socket cgroupv2 level 2 "${path}" accept\n${rule}${refusing()}`;
    await box.write(ruleFile, text);
    await box.run(['nft', '-f', ruleFile]);
    const { code, stderr } = await box.exec(['netsteward', 'cgroup-nft', '-f', ruleFile]);
    assert.notEqual(code, 0);
    assert.match(stderr, /nowhere/);
    assert.equal(await hasJump(box), false);
    const command = await dropIn(text);
    await jumped(box);
    await eventually('the missing chain is told', () => said(command).includes('inet filter nowhere'));
    await firstAttempt(box, file, client);
    await box.run(['nft', 'add', 'chain', 'inet', 'filter', 'nowhere']);
    await eventually('the new chain has its rules', async () => (await chain('nowhere')).includes('jump'));
  });

  test('reads the files again at SIGHUP, and with --flush flushes again', async () => {
    const other = comment({ unit: 'sleeper.service', path: 'system.slice/sleeper.service' });
    const command = await dropIn(other + refusing('accept comment "by hand"'), '-f');
    await jumped(box);
    await box.write(ruleFile, rule);
    await box.run(['nft', 'add', 'rule', 'inet', 'filter', 'allowed', 'accept', 'comment', '"by hand"']);
    command.kill('SIGHUP');
    const chains = (): Promise<string> => box.run(['nft', 'list', 'chains']);
    await eventually('the other rule is gone', async () => !(await chains()).includes('sleeper'));
    await jumped(box);
    assert.doesNotMatch(await chain(), /by hand/);
    await box.run(['nft', 'add', 'rule', 'inet', 'filter', 'allowed', 'accept', 'comment', '"by hand"']);
    command.kill('SIGHUP');
    await eventually('the chain is flushed', async () => !(await chain()).includes('by hand'));
    await firstAttempt(box, file, client);
    await box.write(ruleFile, refusing());
    command.kill('SIGHUP');
    await eventually('what the file no longer has is gone', async () => !(await chains()).includes('netsteward-'));
  });

  test('keeps what was in force when a file is wrong, says where, and recovers', async () => {
    const command = await dropIn(rule + refusing());
    await jumped(box);
    await box.write(ruleFile, `# ${unit} :: add rule inet filter\n`);
    command.kill('SIGHUP');
    await eventually('the mistake is told', () => said(command).includes(`${ruleFile}:1:`));
    await firstAttempt(box, file, client);
    await box.write(ruleFile, rule + comment({ unit: 'other.service', path: 'system.slice/other.service' }));
    command.kill('SIGHUP');
    const chains = (): Promise<string> => box.run(['nft', 'list', 'chains']);
    await eventually('the corrected file counts', async () => (await chains()).includes('other.service'));
    const broken = await box.exec(['netsteward', 'cgroup-nft', '/etc/nowhere.conf']);
    assert.notEqual(broken.code, 0);
    assert.match(broken.stderr, /\/etc\/nowhere\.conf/);
  });

  test('warns of a rule that nft refuses with its words, and applies the others', async () => {
    const bad = `# ${unit} :: add rule inet filter allowed socket cgroupv2 level 2 "${path}" tcp dprot 1 accept\n`;
    const command = await dropIn(bad + rule + refusing());
    await jumped(box);
    await firstAttempt(box, file, client);
    await eventually('the refusal is told', () => said(command).includes('syntax error'));
    assert.match(said(command), new RegExp(`${unit}.*${ruleFile}:1.*dprot`, 's'));
  });

  test('reads the files again with a unit of -u, and applies all again with one of -a', async () => {
    const command = await dropIn(rule + refusing(), '-c', '0', '-f', '-u', 'one.service', '-a', 'other.service');
    await jumped(box);
    const byHand = ['nft', 'add', 'rule', 'inet', 'filter', 'allowed', 'accept', 'comment', '"by hand"'];
    await box.run(byHand);
    await untilFollowed('other.service', async () => !(await chain()).includes('by hand'));
    const more = comment({ unit: 'sleeper.service', path: 'system.slice/sleeper.service' });
    await box.write(ruleFile, rule + more);
    await box.run(byHand);
    await start('other.service');
    await eventually('all is applied again', async () => !(await chain()).includes('by hand'));
    const chains = (): Promise<string> => box.run(['nft', 'list', 'chains']);
    assert.doesNotMatch(await chains(), /sleeper/);
    await start('one.service');
    await eventually('the file is read again', async () => (await chains()).includes('sleeper'));
    assert.equal(allButLate(said(command)), '');
  });

  test('folds the jobs of a unit within the cooldown, and those of no other', async () => {
    const jobs = (command: Command, name: string): number => said(command).split(`unit-job unit=${name}`).length - 1;
    const folding = await dropIn(rule + refusing(), '-d', '-c', '600000', '-a', 'one.service', '-a', 'other.service');
    await untilFollowed('one.service', () => jobs(folding, 'one.service') > 0);
    for (let count = 0; count < 3; count += 1) await start('one.service');
    await start('other.service');
    await eventually('the other unit’s job', () => jobs(folding, 'other.service') === 1);
    assert.equal(jobs(folding, 'one.service'), 1);
    folding.kill('SIGTERM');
    await folding.finished;
    const each = await dropIn(rule + refusing(), '-d', '-c', '0', '-a', 'one.service', '-a', 'other.service');
    await untilFollowed('one.service', () => jobs(each, 'one.service') > 0);
    const before = jobs(each, 'one.service');
    for (let count = 0; count < 3; count += 1) await start('one.service');
    await start('other.service');
    await eventually('the other unit’s job', () => jobs(each, 'other.service') > 0);
    assert.ok(jobs(each, 'one.service') >= before + 3);
  });

  test('applies the rules of a trigger unit anew at its jobs, whatever cgroup they are for', async () => {
    await start('sleeper.service');
    const other = comment({ unit: 'sleeper.service', path: 'system.slice/sleeper.service', trigger: 'one.service' });
    await dropIn(rule + other + refusing(), '-c', '0');
    await jumped(box);
    const own = /jump (netsteward-allowed-one\.service-\w+)/.exec(await chain('netsteward-allowed'))?.[1];
    assert.match(await chain(own), /"system\.slice\/sleeper\.service" accept/);
    await box.run(['nft', 'flush', 'chain', 'inet', 'filter', `${own}`]);
    await untilFollowed('one.service', async () => (await chain(own)).includes('sleeper.service'));
  });

  test('fills the sets of the administrator, and takes out what is dead', async () => {
    const elements = `# ${unit} :: add element inet filter units { "${path}" }\n`;
    const before = 'set units { type cgroupsv2; }';
    await dropIn(elements + refusing('socket cgroupv2 level 2 @units accept', { before }));
    await firstAttempt(box, file, client);
    const listed = (): Promise<string> => box.run(['nft', 'list', 'set', 'inet', 'filter', 'units']);
    await eventually('the cgroup that is gone is taken out', async () => !(await listed()).includes('elements'));
    await firstAttempt(box, file, client);
  });
});

describe('a socket that systemd opened', { skip }, () => {
  const server = 'accept(my $c, STDIN); syswrite $c, "hello\\n"';
  const perl = `ExecStart=/usr/bin/perl -MSocket -e '${server.replaceAll('\\', '\\\\')}'`;
  const served = {
    '/etc/systemd/system/served.socket': '[Socket]\nListenStream=7005\n',
    '/etc/systemd/system/served.service': `[Service]\nStandardInput=socket\n${perl}\n`,
  };
  const ruleOf = (name: string): string =>
    `# ${name} :: add rule inet guard incoming socket cgroupv2 level 2 "system.slice/${name}" accept\n`;
  const ruleset = `flush ruleset
table inet guard {
  chain incoming { }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state established accept
    jump incoming
    tcp dport 7005 reject with tcp reset
  }
}
`;
  const client = 'exec 3<>/dev/tcp/198.51.100.1/7005 && cat <&3';
  const connect = ['nsenter', '--net=/run/netns/server', '--', 'timeout', '5', 'bash', '-c', client];

  // systemd opens it in the socket's cgroup only where it may load BPF programs, as it may outside of containers.
  for (const tree of ['bookworm', 'trixie'] as const) {
    test(`belongs to the socket unit and not to the service, in ${tree}; check says so`, async () => {
      const box = await bootContainer({ tree, nspawn: withBpf, files: served });
      try {
        await startServer(box);
        await box.run(['systemctl', 'start', 'served.socket', 'served.service']);
        for (const [name, reached] of [
          ['served.service', false],
          ['served.socket', true],
        ] as const) {
          await box.write(ruleFile, ruleOf(name) + ruleset);
          await box.run(['nft', '-f', ruleFile]);
          const running = box.spawn(['netsteward', 'cgroup-nft', ruleFile]);
          await eventually('the rules are in the chain', async () =>
            (await box.run(['nft', '-t', 'list', 'chain', 'inet', 'guard', 'incoming'])).includes('jump'),
          );
          const { code, stdout } = await box.exec(connect);
          assert.deepEqual([code, stdout], reached ? [0, 'hello\n'] : [1, ''], name);
          if (reached) {
            // Made anew while the rules are kept.
            await box.run(['systemctl', 'stop', 'served.socket', 'served.service']);
            await box.run(['systemctl', 'start', 'served.socket']);
            await eventually('the new socket is let in', async () => (await box.exec(connect)).stdout === 'hello\n');
          }
          running.kill('SIGTERM');
          assert.equal(allButLate((await running.finished).stderr), '');
        }
        await box.write(ruleFile, ruleOf('served.service') + ruleset);
        const { stdout, stderr } = await box.exec(['netsteward', 'cgroup-nft', 'check', ruleFile]);
        assert.match(stdout + stderr, /served\.socket/);
      } finally {
        await box.stop();
      }
    });
  }
});
