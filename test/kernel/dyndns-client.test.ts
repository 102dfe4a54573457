/** The dyndns client on a line of its own: two families, many destinations, and addresses that come and go. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keyText, signingKey } from '../../src/dyndns/keys.ts';
import { decodePacket } from '../../src/dyndns/packet.ts';
import { fitsStrict } from '../../src/dyndns/signature.ts';
import { eventually } from '../system/eventually.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const ip = (text: string): void => void execFileSync('ip', text.split(' '), { stdio: 'pipe' });
const entry = fileURLToPath(new URL('./dyndns-client-entry.js', import.meta.url));
const key = signingKey(new Uint8Array(32).fill(3));
const keyPath = '/run/dyndns.key';

/** What the clients wrote to standard error. */
const said: string[] = [];
const details = (): string => said.join('');

/** Who sent packets, in the order of their arrival: `address>port` for the port that they came to. */
class Server {
  readonly got: { readonly from: string; readonly to: number; readonly timestamp: number }[] = [];
  readonly #sockets: Socket[] = [];

  async listen(port: number): Promise<void> {
    const socket = createSocket('udp6');
    socket.on('message', (bytes, from) => this.#hear(bytes, from, port));
    socket.bind(port, '::');
    this.#sockets.push(socket);
    await once(socket, 'listening');
  }

  #hear(bytes: Buffer, { address }: RemoteInfo, to: number): void {
    const packet = decodePacket(bytes);
    assert.ok(packet !== undefined && fitsStrict(key.verify, packet.signed, packet.signature));
    this.got.push({ from: address.replace('::ffff:', ''), to, timestamp: packet.timestamp });
  }

  /** Waits for a packet from this address after the first `seen` ones. */
  async from(address: string, seen = 0): Promise<void> {
    await eventually(`a packet from ${address}`, () => this.got.slice(seen).some(({ from }) => from === address), {
      details,
    });
  }

  async count(least: number): Promise<void> {
    await eventually(`${least} packets`, () => this.got.length >= least, { details });
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** In the namespace of the client. */
function client(args: readonly string[]): { child: ChildProcess; ended: Promise<number> } {
  const command = ['netns', 'exec', 'client', process.execPath, entry, 'dyndns', 'send', ...args, keyPath];
  const child = spawn('ip', command, { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  return { child, ended: once(child, 'close').then(([code]) => code as number) };
}

if (!insideNamespace) {
  test('the client sends from the addresses that it has (in a namespace)', (t) =>
    repeatInNamespace(t, import.meta.url));
} else {
  before(() => {
    writeFileSync(keyPath, keyText(key.seed), { mode: 0o600 });
    ip('netns add client');
    ip('link add lan type veth peer name wan netns client');
    ip('addr add 10.1.0.1/24 dev lan');
    ip('addr add 2001:db8:1::1/64 dev lan nodad');
    ip('link set lan up');
    ip('-n client link set lo up');
    ip('-n client link set wan up');
    ip('-n client addr add 10.1.0.2/24 dev wan');
    ip('-n client addr add 2001:db8:1::2/64 dev wan nodad');
  });
  after(() => ip('netns del client'));

  test('twenty destinations of both families get the packets of one round', async () => {
    const server = new Server();
    const ports = Array.from({ length: 10 }, (_, index) => 6000 + index);
    for (const port of ports) await server.listen(port);
    const destinations = ports.flatMap((port) => [`10.1.0.1:${port}`, `[2001:db8:1::1]:${port}`]);
    const { ended } = client(['-n', '2', '--send-delay', '0.01', destinations.join('/')]);
    assert.equal(await ended, 0, said.join(''));
    await server.count(40);
    server.close();
    const expected = ports
      .flatMap((port) => [`10.1.0.2>${port}`, `2001:db8:1::2>${port}`])
      .flatMap((each) => [each, each]);
    assert.deepEqual(server.got.map(({ from, to }) => `${from}>${to}`).sort(), expected.sort());
    assert.equal(new Set(server.got.map(({ timestamp }) => timestamp)).size, 1);
  });

  test('a bind chooses the address that the server sees', async () => {
    ip('-n client addr add 10.1.0.22/24 dev wan');
    const server = new Server();
    await server.listen(6000);
    const { ended } = client(['-b', '10.1.0.22/[2001:db8:1::2]:7000', '10.1.0.1:6000/[2001:db8:1::1]:6000']);
    assert.equal(await ended, 0, said.join(''));
    await server.count(2);
    server.close();
    ip('-n client addr del 10.1.0.22/24 dev wan');
    assert.deepEqual(server.got.map(({ from }) => from).sort(), ['10.1.0.22', '2001:db8:1::2']);
  });

  test('--watch sends when an address changes, when one comes, and when a cable is plugged again', async () => {
    const server = new Server();
    await server.listen(6000);
    const watch = client(['--watch', '--interval', '0s', '10.1.0.1:6000/[2001:db8:1::1]:6000']);
    await server.from('10.1.0.2');
    await server.from('2001:db8:1::2');
    let seen = server.got.length;
    ip('-n client addr del 10.1.0.2/24 dev wan');
    ip('-n client addr add 10.1.0.3/24 dev wan');
    await server.from('10.1.0.3', seen);
    // A second address, which new packets prefer while the first is deprecated.
    seen = server.got.length;
    ip('-n client addr change 2001:db8:1::2/64 dev wan preferred_lft 0');
    ip('-n client addr add 2001:db8:1::3/64 dev wan nodad');
    await server.from('2001:db8:1::3', seen);
    // A default route over a line that is cut and mended: the kernel tells of the link alone.
    seen = server.got.length;
    ip('-n client route add default via 10.1.0.1');
    await server.from('10.1.0.3', seen);
    ip('link set lan down');
    await eventually('the cut is seen', () =>
      /addresses-changed gone="default wan via 10\.1\.0\.1/.test(said.join('')),
    );
    seen = server.got.length;
    ip('link set lan up');
    await server.from('10.1.0.3', seen);
    watch.child.kill('SIGTERM');
    assert.equal(await watch.ended, 0);
    server.close();
    const stamps = server.got.map(({ timestamp }) => timestamp);
    assert.deepEqual(
      stamps,
      stamps.toSorted((a, b) => a - b),
    );
  });

  test('--watch sends nothing for routes and renewals that change nothing', async () => {
    const server = new Server();
    await server.listen(6000);
    ip('-n client addr add 10.1.0.4/24 dev wan valid_lft 1000 preferred_lft 1000');
    const watch = client(['--watch', '--interval', '0s', '10.1.0.1:6000']);
    await server.count(1);
    for (let turn = 0; turn < 3; turn++) {
      ip(`-n client addr change 10.1.0.4/24 dev wan valid_lft 2000 preferred_lft ${1000 + turn}`);
      ip(`-n client route add 10.9.${turn}.0/24 via 10.1.0.1`);
    }
    // What follows is a change; whatever was told before it would have come before.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    assert.equal(server.got.length, 1, said.join(''));
    ip('-n client addr add 10.1.0.5/24 dev wan');
    await server.count(2);
    watch.child.kill('SIGTERM');
    assert.equal(await watch.ended, 0);
    server.close();
  });
}
