/** How much of an endless answer a check takes before it has its verdict: counted where it is sent, at the server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { LinuxHttpProbe } from '../../src/system/linux/http-probe.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import type { ProbeOutcome } from '../../src/system/ports.ts';

const head = (...lines: string[]): string => `HTTP/1.1 ${lines.join('\r\n')}\r\n\r\n`;

/** What comes first, and what then comes again and again, by path. */
const endless: Readonly<Record<string, [first: string, more: string]>> = {
  '/headers': ['HTTP/1.1 200 OK\r\n', `X-Fill: ${'x'.repeat(500)}\r\n`.repeat(64)],
  '/header-name': ['HTTP/1.1 200 OK\r\n', 'x'.repeat(65_536)],
  '/status': ['HTTP/1.1 200 ', 'x'.repeat(65_536)],
  '/gigabyte': [head('200 OK', 'Content-Length: 1073741824'), 'x'.repeat(65_536)],
  '/no-length': [head('200 OK'), 'x'.repeat(65_536)],
  '/chunks': [head('200 OK', 'Transfer-Encoding: chunked'), `ffff\r\n${'x'.repeat(65_535)}\r\n`],
  '/chunk-extension': [`${head('200 OK', 'Transfer-Encoding: chunked')}5;`, 'x'.repeat(65_536)],
  '/trailers': [`${head('200 OK', 'Transfer-Encoding: chunked')}0\r\n`, `X-Fill: ${'x'.repeat(500)}\r\n`.repeat(64)],
  '/interim': ['', head('103 Early Hints', 'Link: </a>').repeat(500)],
};

/** Bytes that the kernel took over from the server, of each connection that is over. */
const sent: number[] = [];
const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket
    .on('error', () => {})
    .once('close', () => {
      sockets.delete(socket);
      sent.push(socket.bytesWritten - socket.writableLength);
    });
  socket.once('data', (request: Buffer) => {
    const [first, more] = endless[request.toString('latin1').split(' ')[1] ?? ''] ?? ['', ''];
    const fill = (): void => {
      while (!socket.destroyed && socket.write(more));
    };
    socket.on('drain', fill).write(first);
    fill();
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

const { port } = server.address() as AddressInfo;
const trust = new TrustStore({ bundles: [] }, systemClock);
const probe = new LinuxHttpProbe({ clock: systemClock, trust, ports: { http: port, https: port } });

/** Beside what is read: what fits into the socket buffers of both ends of a loopback connection (tcp(7), tcp_rmem and tcp_wmem). */
const mostTaken = 16 * 1024 * 1024;

for (const path of Object.keys(endless)) {
  test(`of an endless answer, ${path.slice(1)}, no more is taken than buffers hold, twenty times at once`, async (t) => {
    sent.length = 0;
    const request = { scheme: 'http', host: 'a.example', address: '127.0.0.1', path, timeout: 20_000 } as const;
    const stop = new AbortController();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => probe.probe({ ...request, bodyLimit: 65_536 }, stop.signal)),
    );
    const verdicts = new Set(outcomes.map((outcome: ProbeOutcome) => JSON.stringify(outcome)));
    assert.equal(verdicts.size, 1, [...verdicts].join());
    assert.doesNotMatch([...verdicts].join(), /timeout/, 'it is judged by what came, not by the clock');
    while (sent.length < 20) await new Promise((resolve) => setImmediate(resolve));
    t.diagnostic(`at most ${Math.max(...sent)} bytes`);
    assert.ok(Math.max(...sent) < mostTaken, `${Math.max(...sent)} bytes`);
  });
}
