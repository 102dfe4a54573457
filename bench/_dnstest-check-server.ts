/** A hundred resolvers in one process for bench dnstest-check: each has an address and a delay of its own. */
import { createSocket } from 'node:dgram';
import { createSecureServer } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { decode, encode } from 'dns-packet';
import { NameHash } from '../src/dnstest/name-hash.ts';
import { CertificateAuthority } from '../src/lab/certificates.ts';

const [, , count = '0', step = '0'] = process.argv;
const hash = new NameHash('bench');

function answer(query: Buffer): Buffer {
  const { id = 0, questions = [] } = decode(query);
  const [question] = questions;
  if (question === undefined) throw new Error('a query without a question');
  return encode({
    type: 'response',
    id,
    flags: 0x0180,
    questions: [question],
    answers: [{ type: 'A', name: question.name, ttl: 60, data: hash.address(question.name, 4) }],
  });
}

/** `127.0.1.1` answers after one step, `127.0.1.2` after two. */
function later(address: string | undefined, send: () => void): void {
  setTimeout(send, Number(address?.split('.').at(-1) ?? 0) * Number(step));
}

for (let index = 1; index <= Number(count); index++) {
  const address = `127.0.1.${index}`;
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => later(address, () => socket.send(answer(query), from.port, from.address)));
  await new Promise<void>((resolve) => socket.bind(53, address, resolve));
}

function stream(socket: Socket): void {
  let came = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (piece: Buffer) => {
    came = Buffer.concat([came, piece]);
    if (came.length < 2 || came.length < 2 + came.readUInt16BE(0)) return;
    const message = answer(came.subarray(2, 2 + came.readUInt16BE(0)));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    later(socket.localAddress, () => socket.write(Buffer.concat([length, message])));
  });
}

const authority = new CertificateAuthority(Date.now());
const certificate = authority.issue('dns.bench');
const https = createSecureServer(certificate, (request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const message = answer(Buffer.concat(pieces));
    later(request.socket.localAddress, () => {
      response.setHeader('content-type', 'application/dns-message');
      response.end(message);
    });
  });
});
// A namespace of the bench's own: nobody else can reach them.
const servers = [
  [createServer(stream), 53],
  [createTls(certificate, stream), 853],
  [https, 443],
] as const;
for (const [server, port] of servers) {
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', 512, resolve));
}
process.stdout.write(JSON.stringify({ ca: authority.certificate }));
process.stdout.end();
