/** The control socket: what it answers, and what it does not let itself be made to do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askControl } from '../../../src/cli/control-client.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import { type ControlTarget, openControlSocket } from '../../../src/supervisor/control-socket.ts';
import { quietReport } from '../../fakes/quiet-report.ts';

const noEvents = { events: () => [], follow: () => () => undefined, metrics: async () => '' };

async function setUp(t: TestContext, target: Partial<ControlTarget> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-control-'));
  const path = join(folder, 'deep', 'control.sock');
  t.after(() => rmSync(folder, { recursive: true }));
  const socket = await openControlSocket(path, {
    ...noEvents,
    status: () => quietReport,
    reload: async () => ({ at: 1, ok: true, problems: [] }),
    ...target,
  });
  t.after(() => socket.close());
  return { path, folder, socket };
}

const ask = (socket: string, method: 'GET' | 'POST', path: string) => askControl({ socket, method, path, limit: 5000 });

const codeIs = (code: string) => (error: unknown) => error instanceof NetstewardError && error.code === code;

/** What comes back for these bytes until the other side closes. */
function raw(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path, () => socket.write(bytes));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    // A reset after the answer is fine: the server need not read on.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

test('GET /status gives the report, and only owner and group may ask', async (t) => {
  const { path } = await setUp(t);
  const { status, body } = await ask(path, 'GET', '/status');
  assert.equal(status, 200);
  assert.deepEqual(body, JSON.parse(JSON.stringify(quietReport)));
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test('POST /reload answers 200 when it was taken and 409 with the problems when not', async (t) => {
  const answers = [
    { at: 1, ok: true, problems: [] },
    { at: 2, ok: false, problems: ['n.toml:1:1: x'] },
  ];
  const { path } = await setUp(t, { reload: async () => answers.shift() ?? assert.fail('asked too often') });
  assert.equal((await ask(path, 'POST', '/reload')).status, 200);
  assert.deepEqual(await ask(path, 'POST', '/reload'), {
    status: 409,
    body: { at: 2, ok: false, problems: ['n.toml:1:1: x'] },
  });
});

test('another method or path changes nothing', async (t) => {
  const { path } = await setUp(t, { reload: () => assert.fail('it was reloaded') });
  assert.equal((await ask(path, 'GET', '/reload')).status, 405);
  assert.equal((await ask(path, 'POST', '/status')).status, 405);
  assert.equal((await ask(path, 'POST', '/')).status, 404);
  assert.equal((await ask(path, 'POST', '/reload?x')).status, 404);
});

test('oversize requests and garbage are refused, and the next one is served', async (t) => {
  const { path } = await setUp(t, { reload: () => assert.fail('it was reloaded') });
  const body = 'x'.repeat(100_000);
  const large = `POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  assert.match(await raw(path, large), /^HTTP\/1\.1 413 /);
  assert.match(await raw(path, `GET /status HTTP/1.1\r\nX: ${body}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await raw(path, '\0\x01garbage\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.equal((await ask(path, 'GET', '/status')).status, 200);
});

test('questions sent before the first is answered are never asked of the service', async (t) => {
  let asked = 0;
  const { path } = await setUp(t, {
    status: () => {
      asked += 1;
      return quietReport;
    },
  });
  await raw(path, 'GET /status HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
  assert.ok(asked <= 1);
  assert.equal((await ask(path, 'GET', '/status')).status, 200);
});

test('a failure while answering ends that connection alone', async (t) => {
  let calls = 0;
  const { path } = await setUp(t, {
    status: () => {
      calls += 1;
      if (calls === 1) throw new Error('no status');
      return quietReport;
    },
  });
  await assert.rejects(ask(path, 'GET', '/status'), codeIs('control-failed'));
  assert.equal((await ask(path, 'GET', '/status')).status, 200);
});

test('a second instance is refused while the first one listens', async (t) => {
  const { path } = await setUp(t);
  const target = { ...noEvents, status: () => quietReport, reload: () => assert.fail('it was reloaded') };
  await assert.rejects(openControlSocket(path, target), codeIs('already-running'));
  assert.equal((await ask(path, 'GET', '/status')).status, 200);
});

test('a socket file that a killed process left is replaced', async (t) => {
  const { path, socket } = await setUp(t);
  await socket.close();
  const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.equal(spawnSync(process.execPath, ['-e', dying]).signal, 'SIGKILL');
  assert.ok(statSync(path).isSocket());
  await assert.rejects(ask(path, 'GET', '/status'), codeIs('not-running'));
  const again = await openControlSocket(path, {
    ...noEvents,
    status: () => quietReport,
    reload: async () => ({ at: 1, ok: true, problems: [] }),
  });
  assert.equal((await ask(path, 'GET', '/status')).status, 200);
  await again.close();
  assert.throws(() => statSync(path), /ENOENT/);
});

test('a file that is no socket is never removed', async (t) => {
  const { folder } = await setUp(t);
  const file = join(folder, 'precious');
  writeFileSync(file, 'data');
  const target = { ...noEvents, status: () => quietReport, reload: () => assert.fail('it was reloaded') };
  await assert.rejects(openControlSocket(file, target), codeIs('control-socket-unusable'));
  assert.equal(statSync(file).size, 4);
});

test('where no folder can be made the message names the socket', async (t) => {
  const { folder } = await setUp(t);
  writeFileSync(join(folder, 'file'), '');
  const target = { ...noEvents, status: () => quietReport, reload: () => assert.fail('it was reloaded') };
  await assert.rejects(openControlSocket(join(folder, 'file', 'x.sock'), target), codeIs('control-socket-unusable'));
});
