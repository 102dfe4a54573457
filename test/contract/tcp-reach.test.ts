/** TCP reachability on this machine's loopback: a connection or a refusal is proof, anything else is none. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { LinuxTcpReach } from '../../src/system/linux/tcp-reach.ts';

const reach = new LinuxTcpReach(systemClock);
const patience = 10_000;
const { signal } = new AbortController();

test('a port that listens is reached, and one that refuses too', async () => {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(await reach.reaches('127.0.0.1', port, patience, signal), true);
  server.close();
  await once(server, 'close');
  assert.equal(await reach.reaches('127.0.0.1', port, patience, signal), true);
});

test('an address that nothing can be sent to is not reached', async () => {
  assert.equal(await reach.reaches('255.255.255.255', 9, patience, signal), false);
});

test('an abort ends it with the reason', async () => {
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await assert.rejects(reach.reaches('127.0.0.1', 9, patience, stop.signal), { message: 'enough' });
});
