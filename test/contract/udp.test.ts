/** What UDP sockets promise, on the real kernel: sources of both families, a raised buffer, errors that name the address. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import type { DatagramListener, UdpSocket } from '../../src/system/dyndns-ports.ts';
import { LinuxUdpSockets } from '../../src/system/linux/udp.ts';

const sockets = new LinuxUdpSockets();

/** One datagram to the socket's port at this address of ours. */
function send(socket: UdpSocket, to: string, text: string): Promise<void> {
  const port = Number(socket.local.split(':').at(-1));
  const sender = createSocket(to.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    sender.send(text, port, to, (error) => {
      sender.close();
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** The next datagram as `SOURCE TEXT`. */
function hearing(): { listener: DatagramListener; next: () => Promise<string> } {
  let heard: (text: string) => void = () => {};
  return {
    listener: {
      datagram: (bytes, source) => heard(`${source} ${Buffer.from(bytes).toString()}`),
      failed: (error) => heard(error.message),
    },
    next: () =>
      new Promise((resolve) => {
        heard = resolve;
      }),
  };
}

test('a socket on :: hears both families, and tells IPv4 senders by their mapped address', async () => {
  const { listener, next } = hearing();
  const socket = await sockets.open({ address: '::', port: 0 }, listener);
  const four = next();
  await send(socket, '127.0.0.1', 'four');
  assert.equal(await four, '::ffff:127.0.0.1 four');
  const six = next();
  await send(socket, '::1', 'six');
  assert.equal(await six, '::1 six');
  assert.match(socket.local, /^\[::\]:\d+$/);
  await socket.close();
  await socket.close();
});

test('a socket on an IPv4 address hears plain ones', async () => {
  const { listener, next } = hearing();
  const socket = await sockets.open({ address: '127.0.0.1', port: 0 }, listener);
  const heard = next();
  await send(socket, '127.0.0.1', 'x');
  assert.equal(await heard, '127.0.0.1 x');
  await socket.close();
});

test('the receive buffer is raised as far as the kernel lets it', async () => {
  const plain = createSocket('udp4');
  await new Promise<void>((resolve) => plain.bind(0, '127.0.0.1', resolve));
  const before = plain.getRecvBufferSize();
  plain.setRecvBufferSize(4 * 1024 * 1024);
  const most = plain.getRecvBufferSize();
  plain.close();
  const socket = await sockets.open({ address: '127.0.0.1', port: 0 }, hearing().listener);
  assert.equal(socket.receiveBuffer, most);
  assert.ok(most >= before);
  await socket.close();
});

test('a port that somebody has is named in the refusal', async () => {
  const first = await sockets.open({ address: '127.0.0.1', port: 0 }, hearing().listener);
  const port = Number(first.local.split(':').at(-1));
  await assert.rejects(sockets.open({ address: '127.0.0.1', port }, hearing().listener), {
    code: 'udp-not-bound',
    message: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  });
  await first.close();
  await assert.rejects(sockets.open({ fd: 999 }, hearing().listener), { code: 'udp-not-bound' });
});
