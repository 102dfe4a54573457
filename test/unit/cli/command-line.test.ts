/** The real command line as a process: exit codes, help, did-you-mean, and what it loads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkout, mainJs } from '../../checkout.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-cli-'));
after(() => rmSync(folder, { recursive: true }));

function netsteward(args: readonly string[], node: readonly string[] = []) {
  const { NETSTEWARD_SOCKET: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, mainJs, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}

test('--version prints the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual(netsteward(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' });
});

test('every command explains itself with --help, and the service commands with examples and exit codes', () => {
  const main = netsteward(['--help']);
  assert.equal(main.status, 0);
  for (const name of ['run', 'check', 'status', 'reload', 'nbrpc', 'cgroup-nft', 'lab', 'nft-agent', 'completion']) {
    assert.match(main.stdout, new RegExp(`^ {2}${name} `, 'm'));
    const { status, stdout, stderr } = netsteward([name, '--help']);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^Usage: netsteward ${name}`));
  }
  for (const name of ['run', 'check', 'status', 'reload']) {
    assert.match(netsteward([name, '--help']).stdout, /\nExamples?:\n {2}\$ netsteward /);
  }
  assert.equal(netsteward(['help', 'check']).stdout, netsteward(['check', '--help']).stdout);
});

test('a command line that cannot be understood is exit code 64, with a suggestion where one is near', () => {
  for (const [args, message] of [
    [['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [['check', '--hots'], /unknown option '--hots'\n\(Did you mean --host\?\)/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [['completion'], /missing required argument 'shell'/],
    [['run', '--config'], /argument missing/],
    [['status', 'surplus'], /too many arguments/],
    [[], /Usage: netsteward/],
  ] as const) {
    const { status, stdout, stderr } = netsteward(args);
    assert.equal(status, 64, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
});

test('a wrong configuration is exit code 78 with every problem, for check and run alike', () => {
  writeFileSync(join(folder, 'bad.toml'), '[log]\nlevel = 1\n[nbrpc]\ncheck_lists = "x"\ncolour = 1\n');
  for (const command of ['check', 'run']) {
    const { status, stderr, stdout } = netsteward([command, '-c', 'bad.toml', '--set', 'nbrpc.timers.pass="soon"']);
    assert.equal(status, 78);
    assert.equal(stdout, '');
    assert.match(stderr, /^bad\.toml:2:9: log\.level: /m);
    assert.match(stderr, /^bad\.toml:4:15: nbrpc\.check_lists: /m);
    assert.match(stderr, /^bad\.toml:5:1: nbrpc\.colour: unknown key$/m);
    assert.match(stderr, /^--set nbrpc\.timers\.pass: must be a duration/m);
    assert.equal(stderr.trimEnd().split('\n').length, 4);
  }
});

test('a missing configuration is exit code 78 and says what to do', () => {
  const { status, stderr } = netsteward(['check', '-c', 'nowhere.toml']);
  assert.equal(status, 78);
  assert.match(stderr, /^netsteward: nowhere\.toml: cannot be read: there is no such file\n.*--config/);
});

test('a good configuration is exit code 0, and file names in it begin at its folder', () => {
  writeFileSync(join(folder, 'good.toml'), '[nbrpc]\ncheck_lists = ["services.list"]\nstate = "nbrpc.db"\n');
  assert.deepEqual(netsteward(['check', '-c', 'good.toml']), {
    status: 0,
    stdout: 'good.toml: fine (nbrpc)\n',
    stderr: '',
  });
});

test('hostile text of a configuration reaches the terminal as visible text', () => {
  writeFileSync(join(folder, 'evil.toml'), '"\\u001b[31m" = 1\n[nbrpc]\ncheck_lists = ["/x"]\n');
  const { status, stderr } = netsteward(['check', '-c', 'evil.toml']);
  assert.equal(status, 78);
  assert.doesNotMatch(stderr, /[^\P{Cc}\n]/u);
  assert.match(stderr, /unknown key/);
});

test('status and reload say clearly that nothing runs', () => {
  for (const command of ['status', 'reload']) {
    const { status, stderr } = netsteward([command, '--socket', join(folder, 'none.sock')]);
    assert.equal(status, 1);
    assert.match(stderr, /no netsteward listens on .*none\.sock\nStart it/);
  }
});

test('completion prints a script that bash can read', () => {
  const { status, stdout } = netsteward(['completion', 'bash']);
  assert.equal(status, 0);
  assert.equal(spawnSync('bash', ['-n'], { input: stdout }).status, 0);
});

test('a reader that goes away is no error', () => {
  const script = '"$0" "$1" --help | head -c 1 >/dev/null; exit "$PIPESTATUS"';
  const { status, stderr } = spawnSync('bash', ['-c', script, process.execPath, mainJs], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
});

// A resolve hook that writes down each package: module.register() of Node's module documentation.
const hook = `import { writeSync } from 'node:fs';
export async function resolve(specifier, context, next) {
  if (!/^(node:|file:|data:|\\.)/.test(specifier)) writeSync(2, 'package ' + specifier + '\\n');
  return next(specifier, context);
}`;

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

function packagesOf(args: readonly string[]): string[] {
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`;
  const { status, stderr } = netsteward(args, ['--import', dataUrl(register)]);
  assert.equal(status, 0, stderr);
  return [...new Set(stderr.match(/(?<=^package ).*$/gm) ?? [])];
}

test('--help loads commander and no other package; check loads what parses the configuration', () => {
  assert.deepEqual(packagesOf(['--help']), ['commander']);
  writeFileSync(join(folder, 'small.toml'), '[nbrpc]\ncheck_lists = ["/x"]\n');
  const loaded = packagesOf(['check', '-c', 'small.toml']);
  assert.ok(loaded.includes('valibot') && loaded.includes('toml-eslint-parser'), loaded.join());
  for (const heavy of ['undici', 'koffi', 'pino', '@photostructure/sqlite']) assert.ok(!loaded.includes(heavy), heavy);
});
