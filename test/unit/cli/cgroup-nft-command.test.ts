/** The command line of `netsteward cgroup-nft`: scnpm's flags and exit codes, and what its subcommands take. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mainJs } from '../../checkout.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-cgroup-nft-'));
after(() => rmSync(folder, { recursive: true }));

function run(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mainJs, 'cgroup-nft', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('an unknown flag of the drop-in is a message on standard error and exit code 1, as scnpm has it', () => {
  for (const [args, message] of [
    [['-x', 'f'], "error: unknown option '-x'"],
    [['--flsh', 'f'], "error: unknown option '--flsh'\n(Did you mean --flush?)"],
    [['-c', 'soon', 'f'], 'must be milliseconds, at most 3600000'],
    [['-c', '3600001', 'f'], 'must be milliseconds, at most 3600000'],
    [['-u'], 'argument missing'],
  ] as const) {
    const { status, stdout, stderr } = run(...args);
    assert.deepEqual([status, stdout], [1, ''], args.join(' '));
    assert.ok(stderr.includes(message), stderr);
  }
});

test('so is a command line without a file, and a unit that is none', () => {
  assert.deepEqual(run(), {
    status: 1,
    stdout: '',
    stderr: 'netsteward: name at least one file, such as /etc/nftables.conf\nSee netsteward cgroup-nft --help.\n',
  });
  const { status, stderr } = run('-u', 'nftables', 'f');
  assert.equal(status, 1);
  assert.match(stderr, /^netsteward: reload_with_units\.0: must be the name of a unit/);
});

test('help is exit code 0', () => {
  const { status, stdout } = run('-h');
  assert.equal(status, 0);
  for (const flag of [
    '-f, --flush',
    '-u, --reload-with-unit',
    '-a, --reapply-with-unit',
    '-c, --cooldown',
    '-d, --debug',
  ]) {
    assert.ok(stdout.includes(flag), flag);
  }
});

test('a subcommand has flags of its own, whatever the same letter means to the drop-in', () => {
  writeFileSync(join(folder, 'rules'), '# a.service :: x\n');
  assert.match(
    run('explain', '-f', 'rules', 'a.service').stderr,
    /rules:1:16: rule of "a\.service": FAMILY TABLE CHAIN/,
  );
  const { status, stderr } = run('explain', '-c', 'none.toml', 'a.service');
  assert.deepEqual(
    [status, stderr.split('\n')[0]],
    [78, 'netsteward: none.toml: cannot be read: there is no such file'],
  );
});

test('what a subcommand cannot understand is exit code 64, as everywhere else', () => {
  assert.equal(run('explain').status, 64);
  assert.equal(run('check').status, 64);
  assert.equal(run('check', '--flush', 'f').status, 64);
  assert.equal(run('drop-in', 'a.service').status, 64);
  assert.equal(run('drop-in', '--mode', 'door', 'a.service').status, 64);
  assert.equal(run('wait', '--timeout', 'soon', 'a.service').status, 64);
});

test('a configuration without [cgroup-nft] is exit code 78', () => {
  writeFileSync(join(folder, 'other.toml'), '[nbrpc]\ncheck_lists = ["/x"]\n');
  const { status, stderr } = run('explain', '-c', 'other.toml', 'a.service');
  assert.equal(status, 78);
  assert.match(stderr, /^netsteward: other\.toml has no \[cgroup-nft\]\nName a file/);
});

test('check ends with 78 for a rule that is wrong and for a file that cannot be read', () => {
  assert.deepEqual(run('check', 'none'), {
    status: 78,
    stdout: 'none: 1 error\n',
    stderr: 'none: error: cannot be read: ENOENT, there is no such file or folder: make it, or mend the path\n',
  });
  assert.equal(run('check', 'rules').status, 78);
});

test('a drop-in is printed for people and machines alike', () => {
  const { status, stdout, stderr } = run('drop-in', 'a.service', '--mode', 'gate', '--timeout', '1m');
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /^ExecStartPre=\+.* cgroup-nft wait --timeout 1m %n$/m);
});
