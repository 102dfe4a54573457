/** The configuration: every problem at once, overrides, and where relative paths begin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiagnosticError, formatDiagnostic } from '../../../src/core/diagnostic.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import type { ModuleName } from '../../../src/core/module.ts';
import type { BoundModule } from '../../../src/supervisor/bound-module.ts';
import { loadConfiguration, parseConfiguration } from '../../../src/supervisor/config.ts';
import { FakeModule } from '../../fakes/fake-module.ts';

const registry = new Map<ModuleName, () => Promise<BoundModule>>([
  ['nbrpc', async () => new FakeModule('nbrpc')],
  ['dyndns', async () => new FakeModule('dyndns')],
]);

const parse = (text: string, overrides: readonly string[] = []) =>
  parseConfiguration(text, { file: 'etc/n.toml', overrides, workingDirectory: '/work' }, registry);

async function problems(text: string, overrides: readonly string[] = []): Promise<string[]> {
  try {
    await parse(text, overrides);
  } catch (error) {
    assert.ok(error instanceof DiagnosticError, String(error));
    return error.diagnostics.map(formatDiagnostic);
  }
  assert.fail('it was taken');
}

test('a configuration with ten mistakes gives ten lines, each with its place', async () => {
  const text = `colour = 1
[log]
level = "loud"
format = "xml"
colour = true
[control]
socket = 7
[nbrpc]
a = "bad"
b = "bad"
constructor = 1
[dyndns]
c = "bad"
[dnstest]
`;
  assert.deepEqual(await problems(text), [
    'etc/n.toml:1:1: colour: unknown key',
    'etc/n.toml:3:9: log.level: must be one of "debug", "info", "warn", "error"',
    'etc/n.toml:4:10: log.format: must be one of "auto", "pretty", "json", "journal"',
    'etc/n.toml:5:1: log.colour: unknown key',
    'etc/n.toml:7:10: control.socket: must be the path of a socket, in quotes',
    'etc/n.toml:9:5: nbrpc.a: must not be bad',
    'etc/n.toml:10:5: nbrpc.b: must not be bad',
    'etc/n.toml:11:1: nbrpc.constructor: unknown key',
    'etc/n.toml:13:5: dyndns.c: must not be bad',
    'etc/n.toml:14:2: dnstest: this version of netsteward does not have this module (it has [nbrpc], [dyndns])',
  ]);
});

test('a table present means that the module is on, in the order in which modules start', async () => {
  const configuration = await parse('[dyndns]\n[nbrpc]\nx = 1\n');
  assert.deepEqual([...configuration.modules.keys()], ['nbrpc', 'dyndns']);
  assert.deepEqual(configuration.modules.get('nbrpc')?.config, { x: 1 });
});

test('what is not said has its default', async () => {
  const { log, control } = await parse('[nbrpc]\n');
  assert.deepEqual(log, { level: 'info', format: 'auto' });
  assert.deepEqual(control, { socket: '/run/netsteward/control.sock' });
});

test('a configuration without a module, and a value where a table belongs, are problems', async () => {
  assert.deepEqual(await problems('[log]\n'), [
    'etc/n.toml: no module is on: add the table of at least one ([nbrpc], [dyndns])',
  ]);
  assert.deepEqual(await problems('nbrpc = 1\nlog = 2\n'), [
    'etc/n.toml:1:9: nbrpc: must be a table: [nbrpc]',
    'etc/n.toml:2:7: log: must be a table',
  ]);
});

test('--set overrides the file, a later one an earlier one, and can switch a module on', async () => {
  const configuration = await parse('[nbrpc]\nx = 1\nt.u = 2\n', [
    'nbrpc.x=3',
    'nbrpc.x=4',
    'nbrpc.t.v="five"',
    'dyndns={}',
    'log.level="debug"',
  ]);
  assert.deepEqual(configuration.modules.get('nbrpc')?.config, { t: { u: 2, v: 'five' }, x: 4 });
  assert.ok(configuration.modules.has('dyndns'));
  assert.equal(configuration.log.level, 'debug');
});

test('a problem of a --set is placed at the --set', async () => {
  assert.deepEqual(
    await problems('[nbrpc]\nx = 1\n', [
      'nbrpc.y="bad"',
      'log={level="loud"}',
      'nonsense',
      'nbrpc.z=4m',
      'nbrpc.x.y=1',
    ]),
    [
      '--set nonsense: must be KEY=VALUE, such as nbrpc.timers.pass=\'"4m"\'',
      '--set nbrpc.z: is not TOML; a text as value needs quotes: --set \'nbrpc.z="4m"\'',
      '--set nbrpc.x.y: x is no table, so nothing can be set inside it',
      '--set log: level: must be one of "debug", "info", "warn", "error"',
      '--set nbrpc.y: must not be bad',
    ],
  );
});

test('one --set cannot set two keys', async () => {
  for (const text of ['nbrpc.a=1\nnbrpc.b=2', 'nbrpc.a=1\n[dyndns]']) {
    assert.match((await problems('[nbrpc]\n', [text])).join(), /--set nbrpc\.a: must set one key to one value/);
  }
});

test("relative file names begin at the file's folder, those of --set at the working directory", async () => {
  const text = '[control]\nsocket = "run/c.sock"\n[nbrpc]\nfile = "a.db"\nfiles = ["b", "/c", "../d"]\nother = "e"\n';
  const fromFile = await parse(text);
  assert.equal(fromFile.control.socket, '/work/etc/run/c.sock');
  assert.deepEqual(fromFile.modules.get('nbrpc')?.config, {
    file: '/work/etc/a.db',
    files: ['/work/etc/b', '/c', '/work/d'],
    other: 'e',
  });
  const overridden = await parse(text, ['nbrpc.file="a.db"', 'control.socket="c.sock"']);
  assert.equal(overridden.control.socket, '/work/c.sock');
  assert.deepEqual(overridden.modules.get('nbrpc')?.config, {
    file: '/work/a.db',
    files: ['/work/etc/b', '/c', '/work/d'],
    other: 'e',
  });
});

test('a socket path that the kernel cannot hold is refused', async () => {
  assert.match((await problems(`[nbrpc]\n[control]\nsocket = "/${'x'.repeat(107)}"\n`)).join(), /at most 107 bytes/);
});

test('a file that cannot be read is one clear message', async () => {
  const gone = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
  const source = { file: 'n.toml', overrides: [], workingDirectory: '/work' };
  await assert.rejects(
    loadConfiguration(source, registry, async (path) => {
      assert.equal(path, '/work/n.toml');
      throw gone;
    }),
    (error) =>
      error instanceof NetstewardError &&
      error.code === 'config-unreadable' &&
      error.message === 'n.toml: cannot be read: there is no such file',
  );
});

test('a module that must start has to be on, and to be a module', async () => {
  await assert.rejects(
    () => parse('[supervisor]\nmust_start = ["nbrpc", "dyndns", "x"]\n[nbrpc]\n'),
    /must_start\.2: must be one of "nbrpc"/,
  );
  await assert.rejects(
    () => parse('[supervisor]\nmust_start = ["nbrpc", "dyndns"]\n[nbrpc]\n'),
    /n\.toml:2:24: supervisor\.must_start\.1: \[dyndns\] is not on: add its table, or leave it out here/,
  );
});
