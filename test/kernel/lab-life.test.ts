/** A lab begins and ends without a trace, however it ends, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab } from '../../src/lab/lab.ts';
import { childrenOf, isAlive, type ProcessId, processId } from '../../src/lab/process-id.ts';
import { eventually } from '../system/eventually.ts';
import { scratchFolder } from './lab-fixture.ts';

const scratch = scratchFolder();
const owner = join(
  dirname(fileURLToPath(import.meta.url)),
  `lab-owner${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`,
);

/** The host's network devices, mounts and named namespaces, as a lab must not change them. */
function host(): unknown {
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    devices: readdirSync('/sys/class/net'),
    namespaces: existsSync('/run/netns') ? readdirSync('/run/netns') : [],
    mountTable: existsSync('/run/mount') ? readdirSync('/run/mount') : [],
  };
}

/** A process with all that descend from it. */
function family(pid: number): ProcessId[] {
  const id = processId(pid);
  return id === undefined ? [] : [id, ...childrenOf(pid).flatMap(family)];
}

test('up and down leave the host as it was', async () => {
  const before = host();
  const stateDir = join(scratch, 'plain');
  const lab = await Lab.up({ stateDir });
  assert.ok((await lab.curl('video.example')).ok);
  assert.deepEqual(host(), before, 'while it is up');
  const processes = family(lab.keeperPid);
  assert.ok(processes.length >= 4, 'first process, keeper, world, middlebox');
  await lab.down();
  assert.deepEqual(host(), before, 'after it');
  assert.deepEqual(processes.filter(isAlive), []);
  assert.ok(!existsSync(stateDir));
  await lab.down();
  assert.throws(() => Lab.attach(stateDir), { code: 'lab-not-running' });
});

test('a second lab in the folder is refused while the first runs, and others use the first', async () => {
  const stateDir = join(scratch, 'shared');
  const lab = await Lab.up({ stateDir });
  await assert.rejects(Lab.up({ stateDir }), { code: 'lab-running' });
  const attached = Lab.attach(stateDir);
  assert.equal(attached.keeperPid, lab.keeperPid);
  await attached.censor('video.example', 'rst');
  assert.equal((await lab.curl('video.example')).reason, 'refused');
  await attached.down();
  assert.equal(lab.running, false);
});

test('whichever of its own processes is killed, all of the lab goes, and the next one starts in its place', async () => {
  const stateDir = join(scratch, 'crashed');
  const before = host();
  for (const victim of ['first process', 'keeper', 'a server'] as const) {
    const lab = await Lab.up({ stateDir });
    const bystander = lab.spawn('router', ['sleep', '1000'], { stdio: 'ignore' });
    await once(bystander, 'spawn');
    await eventually('the lab is complete', () => family(lab.keeperPid).length >= 4);
    const processes = [...family(lab.keeperPid), ...family(bystander.pid ?? 0)];
    const [keeper = 0] = childrenOf(lab.keeperPid);
    const pid = { 'first process': lab.keeperPid, keeper, 'a server': childrenOf(keeper)[0] ?? 0 }[victim];
    process.kill(pid, 'SIGKILL');
    await eventually(`all end after ${victim}`, () => !processes.some(isAlive));
    assert.equal(lab.running, false);
    assert.deepEqual(host(), before);
  }
  const lab = await Lab.up({ stateDir });
  assert.ok((await lab.curl('news.example')).ok);
  await lab.down();
  assert.ok(!existsSync(stateDir));
});

test('a lab ends with the process that brought it up, unless it is detached', async () => {
  for (const mode of ['attached', 'detached'] as const) {
    const stateDir = join(scratch, mode);
    const child = spawn(process.execPath, [owner, stateDir, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const lab = Lab.attach(stateDir);
    child.kill('SIGKILL');
    await once(child, 'close');
    if (mode === 'attached') await eventually('the lab ended with its owner', () => !lab.running);
    else assert.ok((await lab.curl('video.example')).ok, 'still there');
    await lab.down();
    assert.ok(!existsSync(stateDir));
  }
});

test('programs inside get signals, input and folder, and give back output and exit code', async () => {
  const lab = await Lab.up({ stateDir: join(scratch, 'programs') });
  const echo = await lab.exec('router', ['sh', '-c', 'cat; pwd; echo $GREETING; echo oops >&2; exit 7'], {
    stdin: 'in\n',
    cwd: '/usr',
    env: { GREETING: 'hello' },
  });
  assert.deepEqual(echo, { code: 7, stdout: 'in\n/usr\nhello\n', stderr: 'oops\n', timedOut: false });
  const slow = await lab.exec('lan', ['sleep', '100'], { timeout: 100 });
  assert.deepEqual([slow.timedOut, slow.code], [true, 137]);

  const script = 'trap "echo hup" HUP; trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.02; done';
  const child = lab.spawn('router', ['sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.on('data', (data) => {
    said += data;
  });
  const closed = once(child, 'close');
  await eventually('ready', () => said.includes('ready'));
  child.kill('SIGHUP');
  await eventually('SIGHUP arrived', () => said.includes('hup'));
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [9, null]);
  assert.equal(said, 'ready\nhup\nterm\n');

  const early = lab.spawn('router', ['sleep', '1000'], { stdio: 'ignore' });
  early.kill('SIGKILL');
  assert.deepEqual(await once(early, 'close'), [null, 'SIGKILL'], 'killed before it began');
  await lab.down();
});

test('unix sockets and files of the state folder are the same inside and outside, also below /run', async () => {
  const runtime = process.env.XDG_RUNTIME_DIR ?? (process.geteuid?.() === 0 ? '/run' : scratch);
  const stateDir = join(runtime, `netsteward-lab-test-${process.pid}`);
  const lab = await Lab.up({ stateDir });
  const folder = join(stateDir, 'router');
  mkdirSync(folder);
  const program = `require('node:net').createServer((socket) => socket.end('from inside')).listen(${JSON.stringify(join(folder, 's'))}, () => console.log('up'))`;
  const child = lab.spawn('router', [process.execPath, '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(child.stdout !== null);
  await once(child.stdout, 'data');
  const client = spawnSync('curl', ['-s', '--http0.9', '--unix-socket', join(folder, 's'), 'http://x/'], {
    encoding: 'utf8',
  });
  assert.equal(client.stdout, 'from inside');
  await lab.down();
  assert.deepEqual(readdirSync(stateDir), ['router'], 'what is not of the lab stays');
  rmSync(stateDir, { recursive: true });
});

test('an ordinary user has the same lab', () => {
  chmodSync(scratch, 0o755);
  const stateDir = join(scratch, 'ordinary', 'lab');
  mkdirSync(dirname(stateDir), { mode: 0o777 });
  chmodSync(dirname(stateDir), 0o777);
  const { stdout, stderr } = asOrdinaryUser([process.execPath, owner, stateDir, 'tour']);
  assert.equal(stdout, 'up direct refused tunnel down\n', stderr);
  assert.ok(!existsSync(stateDir));
});

/** Who may not make namespaces without a user namespace: nobody, or where nobody cannot read the checkout root without CAP_SYS_ADMIN. */
function asOrdinaryUser(argv: string[]): { stdout: string; stderr: string } {
  const options = { encoding: 'utf8', cwd: '/', env: { ...process.env, XDG_RUNTIME_DIR: '' } } as const;
  if (process.geteuid?.() !== 0) return spawnSync(argv[0] ?? '', argv.slice(1), options);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const readable = spawnSync('setpriv', [...nobody, 'test', '-r', owner, '-a', '-x', process.execPath]).status === 0;
  return spawnSync(
    'setpriv',
    [...(readable ? nobody : ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin']), ...argv],
    options,
  );
}
