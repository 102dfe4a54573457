/** `netsteward status` and `reload` as processes, against daemons that are gone, foreign or hostile. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { askControl } from '../../../src/cli/control-client.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import { mainJs } from '../../checkout.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-asking-'));
after(() => rmSync(folder, { recursive: true }));
chmodSync(folder, 0o755);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not spawnSync: the server that is asked runs in this process. */
async function netsteward(args: readonly string[], env: NodeJS.ProcessEnv = {}, before = ''): Promise<Ended> {
  const [program = '', ...more] = [
    ...before.split(' ').filter((word) => word !== ''),
    process.execPath,
    mainJs,
    ...args,
  ];
  const child = spawn(program, more, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

/** In a user namespace that maps nobody, root has no capabilities (user_namespaces(7)): only what the mode of a file gives its owner. */
const powerless = process.getuid?.() === 0 ? 'unshare -U' : '';

let count = 0;

/** A server of anything on a socket of its own; gives the socket's path. */
async function serve(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  count += 1;
  const path = join(folder, `${count}.sock`);
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

/** Answers each request with these bytes and closes. */
const bytes =
  (text: string) =>
  (socket: Socket): void =>
    void socket.once('data', () => socket.end(text));

const http = (body: string, status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;

const commands = ['status', 'reload'] as const;

test('where nothing listens, and on the socket of a killed daemon, nothing runs: exit code 1 and how to start it', async () => {
  const stale = join(folder, 'stale.sock');
  const dying = `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.equal(spawnSync(process.execPath, ['-e', dying]).signal, 'SIGKILL');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const path of [join(folder, 'none.sock'), stale, file, join(file, 'below'), folder]) {
    for (const command of commands) {
      assert.deepEqual(await netsteward([command, '--socket', path]), {
        code: 1,
        stdout: '',
        stderr: `netsteward: no netsteward listens on ${path}\nStart it (systemctl start netsteward, or netsteward run), or name its control.socket with --socket.\n`,
      });
    }
  }
});

test('the socket can be named by the environment, and an empty name is a mistake of the command line', async () => {
  const { stderr } = await netsteward(['status'], { NETSTEWARD_SOCKET: join(folder, 'env.sock') });
  assert.match(stderr, /no netsteward listens on .*env\.sock/);
  assert.equal((await netsteward(['status', '--socket', ''])).code, 64);
});

test('an answer that is not from a netsteward is one clear error, whatever it is', async (t) => {
  const report =
    '{"version":"1","pid":1,"config":"c","state":"running","ready":true,"startedAt":0,"now":1,"warnings":[]';
  for (const [answer, reason] of [
    ['\0\x1b[2Jgarbage\r\n\r\n', 'its answer is not HTTP'],
    ['', 'socket hang up'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{', '(?:aborted|its answer ends in the middle)'],
    [http('<html>\x1b[31m'), 'its answer is not JSON'],
    [http(''), 'its answer is not JSON'],
    ...['null', '[]', '7', '{}', '{"ok":"yes"}', '{"modules":null}', `${report}}`].map((body) => [
      http(body),
      'its answer \\(200\\) ',
    ]),
    [http(`${report},"modules":[{"name":1}]}`), 'its answer \\(200\\) is no status'],
    [
      http(`${report.replace('"startedAt":0', '"startedAt":1e999')},"modules":[]}`),
      'its answer \\(200\\) is no status',
    ],
    [http('{"error":"no"}', '500 No'), 'its answer \\(500\\) '],
    [http('{"at":1,"ok":true,"problems":[]}', '409 Conflict'), 'its answer \\(409\\) '],
  ] as [string, string][]) {
    const path = await serve(t, bytes(answer));
    for (const command of reason.endsWith('is no status') ? (['status'] as const) : commands) {
      const { code, stdout, stderr } = await netsteward([command, '--socket', path]);
      assert.deepEqual([code, stdout], [1, ''], answer);
      assert.match(
        stderr,
        new RegExp(`^netsteward: asking netsteward on ${path} failed: ${reason}`),
        JSON.stringify(answer),
      );
      assert.match(stderr, /\nSee whether that is the control\.socket of a netsteward of this version/);
      assert.doesNotMatch(stderr, /[^\P{Cc}\n]|unexpected error/u);
    }
  }
});

const report = {
  version: '1',
  pid: 1,
  config: 'c',
  state: 'running',
  ready: true,
  startedAt: 0,
  now: 1000,
  modules: [] as readonly object[],
  warnings: [] as readonly object[],
};

test('what modules say of themselves may have any shape: then the summary is shown alone', async (t) => {
  for (const [name, detail] of [
    ['nbrpc', null],
    ['nbrpc', { hosts: 'x' }],
    ['nbrpc', { hosts: [{ rerouted: true }] }],
    ['constructor', {}],
    ['newer', [1]],
  ] as const) {
    const health = { ready: true, summary: 'sum', warnings: [], detail };
    const modules = [{ name, state: 'running', since: 0, restarts: 0, health }];
    const path = await serve(t, bytes(http(JSON.stringify({ ...report, modules }))));
    const { code, stdout, stderr } = await netsteward(['status', '--socket', path]);
    assert.deepEqual(
      [code, stderr, stdout],
      [0, '', `netsteward 1, ready, running for 1s (pid 1, c)\n\n${name}: running for 1s\n  sum\n`],
    );
  }
});

test('hostile text in a status or in the problems of a reload cannot steer the terminal', async (t) => {
  const evil = '\x1b]0;x\x07\u202e\x9b2J';
  const warning = { code: evil, subject: evil, severity: 'error', text: evil, remedy: evil, since: 0 };
  const evilReport = {
    ...report,
    version: evil,
    config: evil,
    state: evil,
    ready: false,
    modules: [{ name: evil, state: evil, since: 0, restarts: 1, lastError: evil }],
    warnings: [warning],
    lastReload: { at: 0, ok: false, problems: [evil] },
  };
  const status = await serve(t, bytes(http(JSON.stringify(evilReport))));
  const reload = await serve(
    t,
    bytes(http(JSON.stringify({ at: 1, ok: false, problems: [`${evil}\nfake`] }), '409 Conflict')),
  );
  for (const [args, code] of [
    [['status', '--socket', status], 1],
    [['status', '--json', '--socket', status], 1],
    [['reload', '--socket', reload], 78],
  ] as const) {
    const ended = await netsteward(args);
    assert.equal(ended.code, code);
    assert.doesNotMatch(ended.stdout + ended.stderr, /[^\P{Cc}\n]|\u202e|^fake/mu);
    assert.match(ended.stdout + ended.stderr, /\\(?:x1b|u001b)/);
  }
});

test('whoever never answers, or never ends, is given up after the time limit, and the connection is closed', async (t) => {
  for (const first of ['', 'HTTP/1.1 200 OK\r\n\r\n{', 'HTTP/1.1 100 Continue\r\n\r\n']) {
    let closed = false;
    let heard = false;
    const path = await serve(t, (socket) => {
      socket.on('close', () => {
        closed = true;
      });
      socket.on('data', () => {
        heard = true;
        socket.write(first);
      });
    });
    const clock = new FakeClock();
    const asking = askControl({ socket: path, method: 'GET', path: '/status', limit: 10_000 }, clock);
    const outcome = asking.then(
      () => 'an answer',
      (error: unknown) => error,
    );
    while (!heard) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(9999);
    assert.equal(await Promise.race([outcome, settle().then(() => 'waits')]), 'waits');
    await clock.advance(1);
    const error = await outcome;
    assert.ok(error instanceof NetstewardError && error.code === 'control-failed', String(error));
    assert.equal(error.message, `asking netsteward on ${path} failed: no answer within 10s`);
    while (!closed) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(clock.waiting, 0);
  }
});

test('an answer without end is cut off', async (t) => {
  const path = await serve(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const block = Buffer.alloc(1024 * 1024, 'x');
    const more = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', more);
    more();
  });
  const { code, stderr } = await netsteward(['status', '--socket', path]);
  assert.equal(code, 1);
  assert.match(stderr, /failed: its answer is longer than 67108864 bytes/);
});

test('who may not connect is told so', async (t) => {
  const path = await serve(t, bytes(''));
  chmodSync(path, 0);
  const ended = await netsteward(['status', '--socket', path], {}, powerless);
  assert.deepEqual(ended, {
    code: 1,
    stdout: '',
    stderr: `netsteward: you may not connect to ${path}\nRun this as root, or as a member of the group that owns the socket.\n`,
  });
});

test('run without permission for the folder of its socket ends with exit code 1 and the remedy', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o555 });
  const config = join(folder, 'closed.toml');
  writeFileSync(config, '[control]\nsocket = "closed/run/control.sock"\n[nbrpc]\ncheck_lists = ["x"]\n', {
    mode: 0o644,
  });
  const ended = await netsteward(['run', '-c', config], {}, powerless);
  assert.deepEqual(ended, {
    code: 1,
    stdout: '',
    stderr: `netsteward: the control socket ${join(closed, 'run/control.sock')} cannot be opened: permission denied\nRun as a user that may write there, or name another place in control.socket.\n`,
  });
});
