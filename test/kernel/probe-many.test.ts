/** Real checks by the thousand, in a network of their own: nothing leaks, own source ports last, and the machine's own faults are told apart. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { type HttpProbeOptions, LinuxHttpProbe } from '../../src/system/linux/http-probe.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';
import type { ProbeOutcome, ProbeRequest } from '../../src/system/ports.ts';
import { eventually } from '../system/eventually.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { HostileServer } from './probe-hostile-server.ts';

const never = new AbortController().signal;

function tally(outcomes: readonly ProbeOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const text =
      outcome.kind === 'answer'
        ? `${outcome.status}`
        : outcome.kind === 'failure'
          ? `${outcome.stage} ${outcome.reason}`
          : outcome.kind;
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

function run(command: string): string {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -e; ${command}`], { encoding: 'utf8' });
  assert.equal(status, 0, `${command}: ${stderr}`);
  return stdout;
}

async function inside(): Promise<void> {
  const server = new HostileServer();
  const ports = await server.listen();
  after(() => server.close());
  const trust = new TrustStore({ bundles: [], ca: server.authority.certificate }, systemClock);
  const open = (options: Partial<HttpProbeOptions> = {}): LinuxHttpProbe =>
    new LinuxHttpProbe({ clock: systemClock, trust, ports, ...options });
  const request = (change: Partial<ProbeRequest>): ProbeRequest => ({
    scheme: 'http',
    host: 'a.example.test',
    address: '127.1.0.1',
    path: '/keep-open',
    timeout: 20_000,
    bodyLimit: 65_536,
    ...change,
  });
  const many = (probe: LinuxHttpProbe, count: number, change: (i: number) => Partial<ProbeRequest>, signal = never) =>
    Array.from({ length: count }, (_, i) => probe.probe(request(change(i)), signal));
  const resources = (): string[] =>
    process.getActiveResourcesInfo().filter((name) => /TCPSocket|TLS|Timeout/.test(name));
  /** Sockets, the server's too, close a few turns of the event loop after the outcome. */
  const nothingLeft = async (): Promise<void> => {
    await eventually('nothing is left', () => resources().length === 0, { details: () => resources().join() });
  };

  describe('own source ports', () => {
    it('last for 3000 checks in a row of 8 addresses with 500 ports, and no check comes from another port', async () => {
      // As towards real destinations: by default (2) loopback is more generous.
      writeFileSync('/proc/sys/net/ipv4/tcp_tw_reuse', '0');
      run(`nft -f - <<'X'
table inet t {
  chain own { type filter hook output priority 0
    tcp dport ${ports.http} tcp flags & (syn | ack) == syn tcp sport 61000-61499 counter comment "own"
    tcp dport ${ports.http} tcp flags & (syn | ack) == syn tcp sport != 61000-61499 counter comment "other"
  }
}
X`);
      const probe = open({ sourcePorts: { first: 61_000, last: 61_499 } });
      const outcomes = await Promise.all(many(probe, 3000, (i) => ({ address: `127.1.0.${1 + (i % 8)}` })));
      assert.deepEqual(tally(outcomes), { '200': 3000 });
      const listing = run('nft list table inet t');
      assert.match(listing, /packets 3\d\d\d bytes \d+ comment "own"/);
      assert.match(listing, /packets 0 bytes 0 comment "other"/);
      const timeWait = readFileSync('/proc/net/tcp', 'utf8').match(/^ *\d+: [0-9A-F:]+ [0-9A-F:]+ 06 /gm)?.length ?? 0;
      assert.ok(timeWait > 1000, `only ${timeWait} sockets in TIME_WAIT: this test shows nothing`);
    });

    it('that are all taken towards one address are the machine’s own fault, and free for others', async () => {
      const probe = open({ sourcePorts: { first: 62_000, last: 62_003 } });
      const outcomes = await Promise.all(many(probe, 6, () => ({ path: '/stall', timeout: 1500 })));
      assert.deepEqual(tally(outcomes), { 'body timeout': 4, 'local-failure': 2 });
      const others = await Promise.all(many(probe, 4, () => ({ address: '127.1.0.2' })));
      assert.deepEqual(tally(others), { '200': 4 });
    });

    it('serve IPv6 too', async () => {
      const seen: (number | undefined)[] = [];
      const listener = net.createServer((socket) => {
        seen.push(socket.remotePort);
        socket.resume().end('HTTP/1.1 204 No Content\r\n\r\n');
      });
      listener.listen({ port: ports.http, host: '::1', ipv6Only: true });
      await once(listener, 'listening');
      const probe = open({ sourcePorts: { first: 62_200, last: 62_201 } });
      const outcome = await probe.probe(request({ address: '::1', path: '/' }), never);
      listener.close();
      assert.deepEqual(tally([outcome]), { '204': 1 });
      assert.ok(seen.every((port) => port === 62_200 || port === 62_201));
    });

    it('that a listener of this machine sits on are passed over', async () => {
      const listener = net.createServer().listen(62_101);
      await once(listener, 'listening');
      const probe = open({ sourcePorts: { first: 62_100, last: 62_102 } });
      const outcomes: ProbeOutcome[] = [];
      for (let i = 0; i < 6; i++) outcomes.push(await probe.probe(request({ address: `127.1.1.${i}` }), never));
      listener.close();
      assert.deepEqual(tally(outcomes), { '200': 6 });
    });
  });

  describe('thousands of checks', () => {
    it('of every kind leave no socket and no timer behind', async () => {
      await nothingLeft();
      const probe = open({ handshakes: 256 });
      const kinds: readonly Partial<ProbeRequest>[] = [
        { path: '/ok' },
        { path: '/reset' },
        { path: '/big', bodyLimit: 10_000 },
        { path: '/stall', timeout: 300 },
        { path: '/endless-headers' },
        { path: '/redirect' },
        { scheme: 'https', path: '/ok' },
        { scheme: 'https', address: '127.0.0.11' },
        { scheme: 'https', address: '127.0.0.12', timeout: 300 },
        { scheme: 'https', host: 'expired.example.test' },
      ];
      // Five thousand at once on a busy machine take their time.
      const patient = { timeout: 150_000 };
      const outcomes = await Promise.all(many(probe, 5000, (i) => ({ ...patient, ...kinds[i % kinds.length] })));
      const counts = tally(outcomes);
      assert.equal(counts['200'], 1500, JSON.stringify(counts));
      assert.equal(counts['302'], 500);
      // The server shares this busy process: it may be late with the headers.
      counts['body timeout'] = (counts['body timeout'] ?? 0) + (counts['http timeout'] ?? 0);
      for (const reason of [
        'http reset',
        'body timeout',
        'http headers-too-large',
        'tls reset',
        'tls timeout',
        'tls certificate',
      ]) {
        assert.equal(counts[reason], 500, `${reason}: ${JSON.stringify(counts)}`);
      }
      await nothingLeft();
    });

    it('end at once when the signal aborts, in whatever stage they are', async () => {
      await nothingLeft();
      const stop = new AbortController();
      const probe = open({ connects: 50, handshakes: 8, sockets: 400 });
      const changes: readonly Partial<ProbeRequest>[] = [
        { path: '/silence' },
        { path: '/drip-body' },
        { scheme: 'https', address: '127.0.0.12' },
        { scheme: 'https', path: '/stall' },
      ];
      const running = many(probe, 600, (i) => changes[i % 4] ?? {}, stop.signal);
      await eventually('many are under way', () => resources().length > 50);
      stop.abort(new Error('enough'));
      const results = await Promise.allSettled(running);
      assert.ok(results.every((result) => result.status === 'rejected' && result.reason === stop.signal.reason));
      await nothingLeft();
    });
  });

  describe('addresses that swallow the SYN', () => {
    it('do not keep others waiting for their time-out', async () => {
      run(`nft -f - <<'X'
table inet swallow {
  chain in { type filter hook input priority 0
    ip daddr 127.9.0.0/16 drop
  }
}
X`);
      const probe = open({ connects: 2 });
      const addresses = ['127.9.0.1', '127.9.0.2', '127.9.0.3', '127.1.0.1'];
      const order: string[] = [];
      await Promise.all(
        addresses.map(async (address) => {
          const outcome = await probe.probe(request({ address, timeout: 3000 }), never);
          order.push(`${address} ${Object.keys(tally([outcome])).join()}`);
        }),
      );
      run('nft delete table inet swallow');
      assert.equal(order[0], '127.1.0.1 200');
      assert.deepEqual(
        order.slice(1).sort(),
        addresses.slice(0, 3).map((address) => `${address} connect timeout`),
      );
      await nothingLeft();
    });
  });

  describe('faults of the machine itself', () => {
    it('no route, a route of type unreachable and a link that is down are local; ICMP from the path is not', async () => {
      run(`
        PATH=$PATH:/usr/sbin:/sbin
        ip netns add router
        ip link add v0 type veth peer name v1 netns router
        ip addr add 10.9.0.1/24 dev v0; ip link set v0 up
        ip -n router addr add 10.9.0.2/24 dev v1; ip -n router link set v1 up
        ip netns exec router sysctl -qw net.ipv4.ip_forward=1
        ip route add 203.0.113.0/24 via 10.9.0.2
        ip route add unreachable 192.0.2.1
      `);
      const probe = open();
      const kindOf = async (address: string): Promise<string> => {
        const outcome = await probe.probe(request({ address, timeout: 5000 }), never);
        return outcome.kind === 'failure' ? `${outcome.stage} ${outcome.reason}` : outcome.kind;
      };
      assert.equal(await kindOf('203.0.113.5'), 'connect unreachable');
      assert.equal(await kindOf('198.51.100.1'), 'local-failure');
      assert.equal(await kindOf('2001:db8::1'), 'local-failure');
      assert.equal(await kindOf('192.0.2.1'), 'local-failure');
      run('PATH=$PATH:/usr/sbin:/sbin; ip link set v0 down');
      assert.equal(await kindOf('203.0.113.5'), 'local-failure');
    });

    it('no free descriptor is local', async () => {
      // A process without descriptors cannot start another one that would raise its limit: this one waits outside.
      const pid = process.pid;
      const raise = spawn('bash', ['-c', `read; prlimit --pid ${pid} --nofile=4096:`], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      run(`prlimit --pid ${pid} --nofile=8:`);
      const outcome = await open().probe(request({}), never);
      raise.stdin.end('now\n');
      await once(raise, 'exit');
      assert.equal(outcome.kind, 'local-failure', JSON.stringify(outcome));
      assert.equal((await open().probe(request({}), never)).kind, 'answer');
    });
  });
}

if (insideNamespace) await inside();
else it('checks by the thousand in a namespace', (t) => repeatInNamespace(t, import.meta.url));
