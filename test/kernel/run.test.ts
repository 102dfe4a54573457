/** `netsteward run` as a newcomer meets it: a fresh machine, a second start, what is missing or not permitted, and the end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout, mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-run-'));
const mounts: string[] = [];
const started: ChildProcess[] = [];
after(() => {
  // What outlives a failed assertion.
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
  for (const mount of mounts) spawnSync('umount', [mount]);
  rmSync(folder, { recursive: true });
});

/** A netsteward that runs, and what it has logged so far. */
class Daemon {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  text = '';

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [mainJs, 'run', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    started.push(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (data: string) => {
        this.text += data;
      });
    }
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  async says(pattern: RegExp): Promise<void> {
    await eventually(`${pattern}`, () => pattern.test(this.text), { details: () => this.text });
  }

  /** How often a line like this was logged. */
  count(pattern: RegExp): number {
    return this.text.split('\n').filter((line) => pattern.test(line)).length;
  }

  stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}

function netsteward(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mainJs, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function nft(...args: string[]): void {
  const { status, stderr } = spawnSync('nft', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** An empty folder on a file system that nothing can be written to. */
function readOnlyFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', path]).status, 0);
  mounts.push(path);
  return path;
}

const hasTable = (name: string): boolean => spawnSync('nft', ['list', 'table', 'inet', name]).status === 0;

if (!insideNamespace) {
  test('netsteward run in a namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
} else {
  // The machine's own folders, empty: mounts of this namespace alone (/run is one already).
  before(() => assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib']).status, 0));

  test('the example configuration starts on a fresh machine: missing folders of socket and state are made', async () => {
    const example = join(folder, 'netsteward.toml');
    writeFileSync(example, readFileSync(join(checkout, 'netsteward.example.toml')));
    const daemon = new Daemon('-c', example);
    await daemon.says(/ready: nbrpc/);
    assert.ok(statSync('/run/netsteward/control.sock').isSocket());
    assert.equal(statSync('/var/lib/netsteward').mode & 0o777, 0o750);
    assert.ok(existsSync('/var/lib/netsteward/nbrpc.db'));

    const status = netsteward('status');
    assert.deepEqual([status.status, status.stderr], [0, '']);
    assert.match(status.stdout, /^netsteward \S+, ready, running for /);
    assert.match(status.stdout, /no services are looked after yet/);
    assert.equal((JSON.parse(netsteward('status', '--json').stdout) as { ready: boolean }).ready, true);

    const second = netsteward('run', '-c', example);
    assert.equal(second.status, 1);
    assert.match(
      second.stderr,
      /^netsteward: another netsteward is running: it listens on \/run\/netsteward\/control\.sock\nStop it first .* control\.socket of its own\.\n$/m,
    );
    assert.doesNotMatch(second.stderr, /\n\s+at /);
    assert.equal(netsteward('status').status, 0, 'the first one goes on');

    assert.deepEqual(netsteward('reload'), { status: 0, stdout: 'The new configuration is in force.\n', stderr: '' });
    writeFileSync(example, '[nbrpc]\ncheck_lists = [1]\ncolour = 2\n');
    const rejected = netsteward('reload');
    assert.deepEqual([rejected.status, rejected.stdout], [78, '']);
    assert.match(
      rejected.stderr,
      /netsteward\.toml:2:16: nbrpc\.check_lists\.0: .*\n.*:3:1: nbrpc\.colour: unknown key\n/,
    );
    assert.match(rejected.stderr, /\nThe old configuration stays in force\.\n$/);
    assert.match(netsteward('status').stdout, /was rejected:\n.*netsteward\.toml:2:16/);

    assert.ok(hasTable('netsteward-nbrpc'));
    assert.equal(await daemon.stop(), 0, daemon.text);
    assert.equal(existsSync('/run/netsteward/control.sock'), false);
    assert.doesNotMatch(daemon.text, /unexpected|crashed/);
  });

  test('a set that the ruleset lacks is said once, status shows it, and the set is taken once it is there', async () => {
    const config = join(folder, 'sets.toml');
    const socket = join(folder, 'sets.sock');
    writeFileSync(
      config,
      `[history]\noff = true\n[control]\nsocket = "${socket}"\n[nbrpc]\ncheck_lists = ["services.list"]\nstate = "sets.db"
[nbrpc.sets]\nblocked4 = "b4"\n`,
    );
    nft('add', 'table', 'inet', 'filter');
    const daemon = new Daemon('-c', config);
    await daemon.says(/nbrpc ended: /);
    const reason = /module nbrpc ended: the table inet filter has no set b4 \(Add it to the ruleset: set b4/;
    assert.match(daemon.text, reason);
    const status = (): { ready: boolean; modules: { state: string; restarts: number; lastError: string }[] } =>
      JSON.parse(netsteward('status', '--socket', socket, '--json').stdout);
    await eventually('it has tried three times', () => (status().modules[0]?.restarts ?? 0) >= 2);
    assert.equal(status().ready, false);
    const shown = netsteward('status', '--socket', socket);
    assert.equal(shown.status, 1);
    assert.match(shown.stdout, /nbrpc: (?:waiting|starting) for .*started again/);
    assert.match(shown.stdout, /last error: the table inet filter has no set b4/);
    assert.equal(daemon.count(reason), 1, daemon.text);
    assert.equal(daemon.count(/ ready: /), 0);
    nft('add', 'set', 'inet', 'filter', 'b4', '{ type ipv4_addr; }');
    // A reload tries at once; without it the next try comes by itself.
    assert.equal(netsteward('reload', '--socket', socket).status, 0);
    await daemon.says(/ready: nbrpc/);
    assert.match(daemon.text, /no longer: module nbrpc ended/);
    assert.equal(netsteward('status', '--socket', socket).status, 0);
    assert.equal(await daemon.stop(), 0, daemon.text);
  });

  test('SIGTERM ends a netsteward whose module cannot start, at once and cleanly', async () => {
    const config = join(folder, 'nowhere.toml');
    writeFileSync(
      config,
      `[history]\noff = true\n[control]\nsocket = "nowhere.sock"\n[nbrpc]\ncheck_lists = ["services.list"]\nstate = "nowhere.db"
[nbrpc.sets]\ntable = "nowhere"\nblocked4 = "b4"\n`,
    );
    const daemon = new Daemon('-c', config);
    await daemon.says(/the ruleset has no table inet nowhere/);
    assert.equal(await daemon.stop(), 0, daemon.text);
    assert.match(daemon.text, / stopped\n$/);
    assert.equal(existsSync(join(folder, 'nowhere.sock')), false);
    const agents = spawnSync('pgrep', ['-f', '--ns', String(process.pid), 'nft-agent --supervised'], {
      encoding: 'utf8',
    });
    assert.equal(agents.stdout, '', 'no agent is left');
  });

  test('a folder of the state that cannot be made is one clear line, and the service goes on trying', async () => {
    const closed = readOnlyFolder('closed');
    const config = join(folder, 'closed.toml');
    writeFileSync(
      config,
      '[history]\noff = true\n[control]\nsocket = "closed.sock"\n[nbrpc]\ncheck_lists = ["services.list"]\nstate = "closed/state/nbrpc.db"\n',
    );
    const daemon = new Daemon('-c', config);
    await daemon.says(/nbrpc ended: /);
    assert.match(
      daemon.text,
      /the folder \S+closed\/state cannot be made: the file system is read-only \(Make it, writable .*state file\.\)/,
    );
    assert.equal(spawnSync('mount', ['-o', 'remount,rw', closed]).status, 0);
    await daemon.says(/ready: nbrpc/);
    assert.equal(await daemon.stop(), 0, daemon.text);
  });

  test('a place for the control socket that cannot be made ends the start with exit code 1 and the remedy', () => {
    readOnlyFolder('closed-run');
    const config = join(folder, 'closed-run.toml');
    writeFileSync(
      config,
      '[history]\noff = true\n[control]\nsocket = "closed-run/x/control.sock"\n[nbrpc]\ncheck_lists = ["services.list"]\n',
    );
    const { status, stderr } = netsteward('run', '-c', config);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^netsteward: the control socket .*closed-run\/x\/control\.sock cannot be opened: the file system is read-only\nRun as a user/m,
    );
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
}
