/** What the middlebox reads out of the first bytes of a connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { readClientHello, readRequestHost } from '../../../src/lab/middlebox/client-hello.ts';

/** The first flight of Node's own TLS client. */
async function clientHello(servername: string | undefined): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port, ...(servername === undefined ? {} : { servername }) });
  client.on('error', () => {});
  const [socket] = await accepted;
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

/** The same handshake in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    const header = Buffer.from([22, 3, 1, 0, 0]);
    header.writeUInt16BE(part.length, 3);
    records.push(header, part);
  }
  return Buffer.concat(records);
}

test('the server name of a real ClientHello is found, in lower case', async () => {
  const hello = await clientHello('Video.Example');
  assert.deepEqual(readClientHello(hello), { kind: 'hello', serverName: 'video.example' });
  assert.deepEqual(readClientHello(inRecords(hello, 7)), { kind: 'hello', serverName: 'video.example' });
});

test('a ClientHello without a server name is one all the same', async () => {
  assert.deepEqual(readClientHello(await clientHello(undefined)), { kind: 'hello', serverName: undefined });
});

test('each beginning of a ClientHello waits for more', async () => {
  for (const bytes of [await clientHello('video.example'), inRecords(await clientHello('video.example'), 100)]) {
    for (let length = 0; length < bytes.length; length++) {
      assert.deepEqual(readClientHello(bytes.subarray(0, length)), { kind: 'incomplete' }, `${length} bytes`);
    }
  }
});

test('what is no TLS is passed on unread', () => {
  for (const text of [
    'GET / HTTP/1.1\r\n',
    '\x17\x03\x03\x00\x01x',
    '\x16\x02\x00\x00\x04abcd',
    '\x16\x03\x01\x00\x01\x02',
  ]) {
    assert.deepEqual(readClientHello(Buffer.from(text, 'latin1')), { kind: 'foreign' }, JSON.stringify(text));
  }
});

test('no bytes whatever, and no damaged ClientHello, make it throw', async () => {
  const hello = await clientHello('video.example');
  const damaged = fc
    .array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((edits) => edits.reduce((bytes, [at, value]) => bytes.fill(value, at, at + 1), Buffer.from(hello)));
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from([22, 3, ...bytes]));
  fc.assert(
    fc.property(fc.oneof(damaged, noise), (bytes) => {
      assert.match(readClientHello(bytes).kind, /^(hello|incomplete|foreign)$/);
    }),
  );
});

test('the Host of an HTTP request is found, whatever its port and spelling', () => {
  const request = (head: string) => readRequestHost(Buffer.from(head));
  const found = { kind: 'hello', serverName: 'video.example' };
  assert.deepEqual(request('GET / HTTP/1.1\r\nHost: Video.example\r\n\r\n'), found);
  assert.deepEqual(request('GET / HTTP/1.1\r\nAccept: */*\r\nhOST:video.example:80 \r\nX: y\r\n\r\nbody'), found);
  assert.deepEqual(request('GET / HTTP/1.0\r\nX-Host: a\r\n\r\n'), { kind: 'hello', serverName: undefined });
  assert.deepEqual(request('GET / HTTP/1.1\r\nHost: video.exa'), { kind: 'incomplete' });
});
