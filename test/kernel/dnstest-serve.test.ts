/** `netsteward dnstest serve` as a program: where it listens, what it says when it cannot, how it ends, and TCP in all its ways. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { decode, type StringAnswer } from 'dns-packet';
import { Answerer } from '../../src/dnstest/answer.ts';
import { ZoneServer } from '../../src/dnstest/server.ts';
import { LinuxDnsListeners } from '../../src/system/linux/dns-listen.ts';
import { mainJs } from '../checkout.ts';
import { query } from '../unit/dnstest/build-answers.ts';
import { askResolver, freshName, hash } from './dnstest-zone.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

interface Program {
  readonly child: ChildProcess;
  /** Standard error so far. */
  told(): string;
  readonly ended: Promise<number | null>;
}

function start(t: TestContext, args: readonly string[], wrapper: readonly string[] = []): Program {
  const [program = '', ...rest] = [...wrapper, process.execPath, mainJs, 'dnstest', ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
  });
  return { child, told: () => text, ended };
}

/** Until it says that it listens. */
async function listening(program: Program): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (program.told().includes('listening')) resolve();
    };
    program.child.stderr?.on('data', look);
    program.ended.then((code) => reject(new Error(`ended with ${code}: ${program.told()}`)), reject);
    look();
  });
}

/** A TCP connection, and what comes over it. */
class Stream {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly opened: Promise<void>;
  #bytes = Buffer.alloc(0);
  #waiting: (() => void) | undefined;

  constructor(host: string, port: number) {
    this.socket = connect({ host, port, noDelay: true });
    this.socket.on('error', () => undefined);
    this.opened = new Promise((resolve) => this.socket.once('connect', () => resolve()));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('data', (more) => {
      this.#bytes = Buffer.concat([this.#bytes, more]);
      this.#waiting?.();
    });
  }

  async messages(count: number): Promise<readonly Buffer[]> {
    for (;;) {
      const found: Buffer[] = [];
      let at = 0;
      while (at + 2 <= this.#bytes.length && at + 2 + this.#bytes.readUInt16BE(at) <= this.#bytes.length) {
        const end = at + 2 + this.#bytes.readUInt16BE(at);
        found.push(this.#bytes.subarray(at + 2, end));
        at = end;
      }
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }
}

const frame = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]);

function addressIn(message: Buffer): string | undefined {
  const [answer] = (decode(message).answers ?? []) as StringAnswer[];
  return answer?.data;
}

async function serveHere(
  t: TestContext,
  tcp = { connections: 256, idle: 60_000 },
): Promise<{ port: number; server: ZoneServer }> {
  const server = await ZoneServer.open(new LinuxDnsListeners(), new Answerer({ hash, ttl: 300, zones: [] }), {
    bindings: [{ address: '127.0.0.1', port: 0 }],
    tcp,
  });
  t.after(() => server.stop());
  return { port: Number(server.local[0]?.split(':').at(-1)), server };
}

if (!insideNamespace) {
  test('the server as a program, in a network namespace', async (t) => {
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  test('it serves at several addresses of both families, over UDP and TCP, and ends well with each signal', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const binds = ['-b', '127.0.0.1', '-b', '127.0.0.2:53', '-b', '[::1]:5353'];
      const program = start(t, ['-k', 'hash-key', ...binds]);
      await listening(program);
      for (const [address, port] of [
        ['127.0.0.1', 53],
        ['127.0.0.2', 53],
        ['::1', 5353],
      ] as const) {
        const name = freshName('test.example');
        assert.deepEqual((await askResolver(address, name, 'A', port)).addresses, [hash.address(name, 4)]);
        const stream = new Stream(address, port);
        stream.socket.write(frame(query(name, 'A')));
        const [answer = Buffer.alloc(0)] = await stream.messages(1);
        assert.equal(addressIn(answer), hash.address(name, 4));
      }
      program.child.kill(signal);
      assert.equal(await program.ended, 0, program.told());
    }
  });

  test('serve by name does the same, and :: takes both families', async (t) => {
    const program = start(t, ['serve', '-k', 'hash-key', '--zone', 'test.example', '-b', ':53']);
    await listening(program);
    for (const address of ['127.0.0.1', '127.0.0.1', '::1']) {
      const name = freshName('test.example');
      assert.deepEqual((await askResolver(address, name, 'A')).addresses, [hash.address(name, 4)]);
    }
    assert.equal((await askResolver('127.0.0.1', 'elsewhere.example', 'A')).code, 'REFUSED');
  });

  test('a port that another program has is told, for UDP as for TCP, and the program ends', async (t) => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(5301, '127.0.0.1', resolve));
    t.after(() => socket.close());
    const udp = start(t, ['-b', '127.0.0.2', '-b', '127.0.0.1:5301']);
    assert.equal(await udp.ended, 1);
    assert.match(udp.told(), /cannot listen on 127\.0\.0\.1:5301 \(UDP\): another program has that port\n.*ss -lunp/);

    const server = createServer();
    await new Promise<void>((resolve) => server.listen(5302, '127.0.0.1', resolve));
    t.after(() => server.close());
    const tcp = start(t, ['-b', '127.0.0.1:5302']);
    assert.equal(await tcp.ended, 1);
    assert.match(tcp.told(), /cannot listen on 127\.0\.0\.1:5302 \(TCP\): another program has that port\n.*ss -ltnp/);
  });

  test('no permission for port 53, and an address of another machine, are told with what to do', async (t) => {
    const without = ['setpriv', '--bounding-set', '-net_bind_service', '--inh-caps', '-net_bind_service'];
    const refused = start(t, [], without);
    assert.equal(await refused.ended, 1);
    assert.match(
      refused.told(),
      /cannot listen on 127\.0\.0\.1:53 \(UDP\): no permission for that port\n.*CAP_NET_BIND_SERVICE/,
    );
    const elsewhere = start(t, ['-b', '192.0.2.1']);
    assert.equal(await elsewhere.ended, 1);
    assert.match(elsewhere.told(), /192\.0\.2\.1:53 \(UDP\): this machine has no such address\n.*ip address/);
  });

  test('what is wrong with the command line ends it with 2, before anything listens', async (t) => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['-k', 'k'.repeat(33)], /the hash key has 33 bytes, and 32 are the most/],
      [['-b', '127.0.0.1:70000'], /--bind 127\.0\.0\.1:70000: must be/],
      [['-b', '[127.0.0.1]:53'], /--bind \[127\.0\.0\.1\]:53: must be/],
      [['-b', '127.0.0.1', '-b', '127.0.0.1:53'], /is there twice/],
      [['--zone', 'a..b'], /"a\.\.b" is no domain name: it has an empty label/],
      [['--ns', 'ns.example'], /belongs to no zone/],
      [['--zone', 'test.example', '--ns', 'ns.example=nowhere'], /must be NAME or NAME=ADDRESS/],
      [['--cache-ttl', '-1'], /must be a whole number/],
      [['-c', '1:2:3'], /is for checks/],
      [['--nonsense'], /unknown option/],
    ];
    for (const [args, why] of cases) {
      const program = start(t, args);
      assert.equal(await program.ended, 2, `${args.join(' ')}: ${program.told()}`);
      assert.match(program.told(), why);
      assert.doesNotMatch(program.told(), /listening/);
    }
  });

  test('a response is not answered over UDP, and the next query is', async (t) => {
    const { port, server } = await serveHere(t);
    const socket = createSocket('udp4');
    t.after(() => socket.close());
    const came: Buffer[] = [];
    const done = new Promise<void>((resolve) => {
      socket.on('message', (bytes) => {
        came.push(bytes);
        resolve();
      });
    });
    const response = query('a.test', 'A', undefined, 1);
    response[2] = 0x80;
    for (const message of [response, Buffer.alloc(5), query('b.test', 'A', undefined, 2)]) {
      await new Promise((resolve) => socket.send(message, port, '127.0.0.1', resolve));
    }
    await done;
    assert.deepEqual(
      came.map((bytes) => bytes.readUInt16BE(0)),
      [2],
    );
    assert.deepEqual(server.counts, { udp: 1, tcp: 0, silent: 2 });
  });

  test('one connection takes many queries, all at once as well as byte by byte', async (t) => {
    const { port } = await serveHere(t);
    const names = Array.from({ length: 500 }, () => freshName('test.example'));
    const stream = new Stream('127.0.0.1', port);
    stream.socket.write(Buffer.concat(names.map((name) => frame(query(name, 'A')))));
    assert.deepEqual(
      (await stream.messages(500)).map(addressIn),
      names.map((name) => hash.address(name, 4)),
    );
    const slow = new Stream('127.0.0.1', port);
    for (const byte of Buffer.concat(names.slice(0, 3).map((name) => frame(query(name, 'AAAA'))))) {
      await new Promise((resolve) => slow.socket.write(Buffer.of(byte), resolve));
    }
    assert.equal((await slow.messages(3)).length, 3);
  });

  test('a connection without whole messages is ended, and so is one that brings a response', async (t) => {
    const { port } = await serveHere(t, { connections: 256, idle: 300 });
    const idle = new Stream('127.0.0.1', port);
    const dripping = new Stream('127.0.0.1', port);
    // A message that never becomes whole does not count as life.
    const drip = setInterval(() => dripping.socket.write(Buffer.of(1)), 50);
    await Promise.all([idle.closed, dripping.closed]);
    clearInterval(drip);
    const { port: other } = await serveHere(t);
    const odd = new Stream('127.0.0.1', other);
    const response = query('a.test', 'A');
    response[2] = 0x80;
    odd.socket.write(frame(response));
    await odd.closed;
  });

  test('over the limit of connections the one that has been idle for longest goes, and a newcomer is served', async (t) => {
    const { port } = await serveHere(t, { connections: 3, idle: 60_000 });
    const streams: Stream[] = [];
    for (let i = 0; i < 3; i++) {
      const stream = new Stream('127.0.0.1', port);
      stream.socket.write(frame(query(`n${i}.test`, 'A')));
      await stream.messages(1);
      streams.push(stream);
    }
    const [first, second, third] = streams;
    // The first one lives on: it has asked again.
    first?.socket.write(frame(query('again.test', 'A')));
    await first?.messages(2);
    const newcomer = new Stream('127.0.0.1', port);
    newcomer.socket.write(frame(query('new.test', 'A')));
    await newcomer.messages(1);
    await second?.closed;
    for (const stream of [first, third, newcomer]) {
      stream?.socket.write(frame(query('still.test', 'A')));
      const before = stream === first ? 2 : 1;
      assert.equal((await stream?.messages(before + 1))?.length, before + 1);
    }
  });

  test('a peer that asks and never takes answers is ended, and its answers fill no memory', async (t) => {
    const { port, server } = await serveHere(t, { connections: 256, idle: 500 });
    const stream = new Stream('127.0.0.1', port);
    stream.socket.pause();
    const one = frame(query('a.test.example', 'A'));
    const many = Buffer.concat(Array.from({ length: 2000 }, () => one));
    await stream.opened;
    await new Promise<void>((resolve) => {
      const flood = setInterval(() => {
        // Reads nothing; only a write finds that the other side is gone.
        if (!stream.socket.destroyed) {
          if (stream.socket.writableLength < many.length) stream.socket.write(many);
          return;
        }
        clearInterval(flood);
        resolve();
      }, 5);
    });
    // What the kernel's buffers take (tcp_wmem and tcp_rmem of tcp(7), some 10 MB), in answers of 57 bytes.
    assert.ok(server.counts.tcp < 1_000_000, `${server.counts.tcp}`);
  });
}
