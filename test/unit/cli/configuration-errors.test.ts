/** A wrong configuration as its writer sees it: every mistake at once, one line each, exit code 78. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkout, mainJs } from '../../checkout.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-wrong-'));
after(() => rmSync(folder, { recursive: true }));

/** In a user namespace that maps nobody, root has no capabilities: modes of files count again. */
const powerless = process.getuid?.() === 0 ? ['unshare', '-U'] : [];

function netsteward(args: readonly string[], before: readonly string[] = []) {
  const [program = '', ...more] = [...before, process.execPath, mainJs, ...args];
  const { status, stdout, stderr } = spawnSync(program, more, { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function check(text: string, ...args: string[]) {
  writeFileSync(join(folder, 'n.toml'), text);
  return netsteward(['check', '-c', 'n.toml', ...args]);
}

const good = '[nbrpc]\ncheck_lists = ["services.list"]\n';
const fine = { status: 0, stdout: 'n.toml: fine (nbrpc)\n', stderr: '' };

test('ten mistakes give ten lines, each with file, line, column, path and message', () => {
  const text = `colour = 1
[log]
level = "loud"
format = 3
[control]
socket = ""
[nbrpc]
check_lists = []
default_policy = "teleport"
on_stop = "maybe"
[nbrpc.timers]
pass = 4
[nbrpc.limits]
iter_hosts = 0
[nbrpc.table]
exempt_source_ports = "9-1"
`;
  for (const command of ['check', 'run']) {
    writeFileSync(join(folder, 'ten.toml'), text);
    const { status, stdout, stderr } = netsteward([command, '-c', 'ten.toml']);
    assert.deepEqual([status, stdout], [78, '']);
    const lines = stderr.trimEnd().split('\n');
    const places = [
      '1:1: colour: unknown key',
      '3:9: log.level: must be one of "debug", "info", "warn", "error"',
      '4:10: log.format: must be one of "auto", "pretty", "json", "journal"',
      '6:10: control.socket: must not be empty',
      '8:15: nbrpc.check_lists: must name at least one file',
      '9:18: nbrpc.default_policy: ',
      '10:11: nbrpc.on_stop: must be "keep" or "flush"',
      '12:8: nbrpc.timers.pass: must be a duration in quotes, such as "90s" or "15h"',
      '14:14: nbrpc.limits.iter_hosts: must be a whole number from 1 to 1000000',
      '16:23: nbrpc.table.exempt_source_ports: must be a range of ports such as "61000-64999"',
    ];
    assert.deepEqual([lines.length, places.length], [10, 10], stderr);
    for (const [index, place] of places.entries())
      assert.ok(lines[index]?.startsWith(`ten.toml:${place}`), lines[index]);
    for (const line of lines) assert.match(line, /^ten\.toml:\d+:\d+: [\w.]+: \S.*$/);
  }
});

test('text that is not TOML is one line with its place', () => {
  const { status, stderr } = check('[nbrpc]\ncheck_lists = [\n\n[log]\n');
  assert.equal(status, 78);
  assert.match(stderr, /^n\.toml:\d+:\d+: not TOML here: .*\n$/);
});

test('a key that is said twice, and a table that is said twice, have their place', () => {
  assert.match(check(`${good}state = "a"\nstate = "b"\n`).stderr, /^n\.toml:4:\d+: not TOML here: /);
  assert.match(check(`${good}[nbrpc]\n`).stderr, /^n\.toml:3:\d+: not TOML here: /);
});

test('unknown keys are named on every level, and those that every object has too', () => {
  const { status, stderr } = check(
    `${good}colour = 1\n"__proto__" = 1\n[nbrpc.check]\ntimeouts = "1s"\n[log]\nconstructor = 1\n[wifi]\nx = 1\n`,
  );
  assert.equal(status, 78);
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'n.toml:3:1: nbrpc.colour: unknown key',
    'n.toml:4:1: nbrpc.__proto__: unknown key',
    'n.toml:6:1: nbrpc.check.timeouts: unknown key',
    'n.toml:8:1: log.constructor: unknown key',
    'n.toml:9:2: wifi: unknown key',
  ]);
});

test('that no module is on is said plainly', () => {
  assert.match(
    check('[log]\n').stderr,
    /^n\.toml: no module is on: add the table of at least one \(\[nbrpc\], \[cgroup-nft\], \[dyndns\], \[dnstest\]\)\n$/,
  );
  assert.match(check('').stderr, /^n\.toml: no module is on/);
});

test('--set overrides keys of the file, adds tables, and a later one wins', () => {
  assert.deepEqual(check(good, '--set', 'nbrpc.timers.pass="30s"', '--set', 'log={level="debug"}'), fine);
  assert.deepEqual(check(`${good}on_stop = "maybe"\n`, '--set', 'nbrpc.on_stop="flush"'), fine);
  assert.deepEqual(check(good, '--set', 'nbrpc.on_stop="maybe"', '--set', 'nbrpc.on_stop="keep"'), fine);
  assert.deepEqual(check('[log]\n', '--set', 'nbrpc.check_lists=["/x"]'), fine);
});

test('a --set that is wrong is placed at the --set, whatever is wrong with it', () => {
  for (const [text, message] of [
    ['nbrpc.on_stop="maybe"', '--set nbrpc.on_stop: must be "keep" or "flush"'],
    ['nbrpc.colour=1', '--set nbrpc.colour: unknown key'],
    [
      'nbrpc.on_stop=keep',
      '--set nbrpc.on_stop: is not TOML; a text as value needs quotes: --set \'nbrpc.on_stop="keep"\'',
    ],
    ['nbrpc.on_stop', '--set nbrpc.on_stop: must be KEY=VALUE, such as nbrpc.timers.pass=\'"4m"\''],
    ['=1', '--set : is not TOML; a text as value needs quotes: --set \'="1"\''],
    ['nbrpc.check_lists.x=1', '--set nbrpc.check_lists.x: check_lists is no table, so nothing can be set inside it'],
  ] as const) {
    assert.deepEqual(check(good, '--set', text), { status: 78, stdout: '', stderr: `${message}\n` });
  }
});

test('a file that cannot be read is one clear line and the remedy', () => {
  const locked = join(folder, 'locked.toml');
  writeFileSync(locked, good);
  chmodSync(locked, 0);
  symlinkSync('loop', join(folder, 'loop'));
  assert.equal(spawnSync('mkfifo', [join(folder, 'pipe')]).status, 0);
  for (const [file, reason] of [
    ['none.toml', 'there is no such file'],
    ['/', 'it is not a regular file'],
    ['pipe', 'it is not a regular file'],
    ['loop', 'too many symbolic links'],
    [locked, 'permission denied'],
  ] as const) {
    assert.deepEqual(netsteward(['check', '-c', file], powerless), {
      status: 78,
      stdout: '',
      stderr: `netsteward: ${file}: cannot be read: ${reason}\nName the configuration with --config FILE; netsteward.example.toml is one to start from.\n`,
    });
  }
});

test('the example configuration is fine as it is', () => {
  const { status, stderr } = netsteward(['check', '-c', join(checkout, 'netsteward.example.toml')]);
  assert.deepEqual([status, stderr], [0, '']);
});
