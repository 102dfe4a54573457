/** The status page's connections: how many, one request at a time on each, and none from what is no browser of a reader's. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { mostConnections } from '../../../../src/supervisor/page/server.ts';
import { startPage } from './page-under-test.ts';

/** What comes back for bytes that no client of ours would send, until the server ends the connection. */
function sendRaw(listen: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(listen.split(':')[1]), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

test('requests sent before the first is answered end the connection: no answers pile up in memory', async (t) => {
  const { running, service } = await startPage(t);
  const { listen } = running.health().detail as { readonly listen: string };
  const one = 'GET /api/state HTTP/1.1\r\nHost: localhost\r\n\r\n';
  assert.equal(await sendRaw(listen, one.repeat(1000)), '');
  assert.ok(service.asked <= 1);
});

test('one connection takes one request after another, as browsers send them', async (t) => {
  const { running } = await startPage(t);
  const { listen } = running.health().detail as { readonly listen: string };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const sockets = new Set<unknown>();
  for (let count = 0; count < 20; count += 1) {
    const status = await new Promise((resolve, reject) => {
      const call = get(`http://${listen}/${count % 2 === 0 ? 'page.js' : 'api/state'}`, { agent }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode));
      });
      call.once('socket', (socket) => sockets.add(socket));
      call.once('error', reject);
    });
    assert.equal(status, 200);
    // Whether a socket is free again is looked at in another turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(sockets.size, 1);
});

test('two Host headers are as bad as a wrong one', async (t) => {
  const { running } = await startPage(t);
  const { listen } = running.health().detail as { readonly listen: string };
  const answer = await sendRaw(listen, 'GET /api/state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 421 /);
});

test('connections beyond the bound are closed, and those that say nothing hold up nobody', async (t) => {
  const { ask, running } = await startPage(t);
  const { listen } = running.health().detail as { readonly listen: string };
  const port = Number(listen.split(':')[1]);
  const silent = Array.from({ length: mostConnections - 1 }, () => connect(port, '127.0.0.1'));
  t.after(() => silent.forEach((socket) => void socket.destroy()));
  await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  assert.equal((await ask('/api/state')).status, 200);
  const last = connect(port, '127.0.0.1');
  t.after(() => last.destroy());
  await new Promise((resolve) => last.once('connect', resolve));
  await assert.rejects(ask('/api/state'));
});
