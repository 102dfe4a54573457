/** Real packets for tests in a container: a server behind a veth, a ruleset that refuses, and clients that say when they got through. */
import assert from 'node:assert/strict';
import type { Container } from './container.ts';
import { eventually } from './eventually.ts';
import type { Command } from './inside.ts';

/*
 * Usage, in a container `box`:
 *
 *   const server = await startServer(box);
 *   await box.write('/etc/nftables.conf', refusing('socket cgroupv2 level 2 "system.slice/x.service" accept'));
 *   await box.write('/etc/systemd/system/x.service', `[Service]\nExecStart=${connecting('/run/x.json', '-s')}\n`);
 *   … start x.service …
 *   const [made] = await connections(box, '/run/x.json', 1);   // waits for as many
 *   made.first_result, made.first_success - made.main_start
 *   await watching(box)    // sends a datagram each 0.1 ms; .stop() tells what came between
 *
 * first-connection.c says what the client does and each of its flags.
 */

/** In a network namespace of its own, beside the container's. */
export const serverAddress = '198.51.100.2';
export const serverAddress6 = '2001:db8:51::2';

/** TCP and UDP. */
export const serverPorts: readonly number[] = [7001, 7002, 7003, 7004];

/** The container's interface towards the server; its addresses end in 1. */
export const interfaceName = 'veth-server';

/** Makes the server's network namespace (`ip netns`: `server`) and the server; it ends with the container. */
export async function startServer(box: Container): Promise<Command> {
  await box.run(['sh', '-euc', wiring, 'sh', interfaceName, serverAddress, serverAddress6]);
  const listen = ['first-connection', '-l', ...serverPorts.map(String)];
  const server = box.spawn(['nsenter', '--net=/run/netns/server', '--', ...listen]);
  await eventually('the server listens', () => server.stdout().includes('listening') || undefined, {
    details: server.stderr,
  });
  return server;
}

// nodad: an IPv6 address can be used at once.
const wiring = `
ip netns add server
ip link add "$1" type veth peer name veth-client netns server
ip addr add "\${2%.*}.1/24" dev "$1"
ip addr add "\${3%::*}::1/64" dev "$1" nodad
ip link set lo up
ip link set "$1" up
ip -n server addr add "$2/24" dev veth-client
ip -n server addr add "$3/64" dev veth-client nodad
ip -n server link set veth-client up
`;

/**
 * A ruleset of which nothing to the server's ports leaves the container but what `allowed`, the lines of chain
 * `inet filter <chain>`, accepts: TCP is refused (the client sees it at once), UDP dropped (sending gives EPERM).
 * No connection tracking: each packet is judged by the rules as they are now.
 */
export function refusing(allowed = '', { chain = 'allowed', before = '' } = {}): string {
  const ports = `{ ${serverPorts.join(', ')} }`;
  return `flush ruleset
table inet filter {
${before}
  chain ${chain} {
    ${allowed.split('\n').join('\n    ')}
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifname != "${interfaceName}" accept
    jump ${chain}
    tcp dport ${ports} reject with tcp reset
    udp dport ${ports} drop
  }
}
`;
}

/** A unit's command line: connects to the server from its first instruction on, and appends what came of it to `file`. */
export function connecting(file: string, flags = '', port = serverPorts[0]): string {
  return `/usr/local/bin/first-connection ${flags} ${file} ${serverAddress} ${port}`;
}

/** What one run of first-connection did. Times: CLOCK_MONOTONIC, milliseconds. */
export interface Connection {
  readonly pid: number;
  /** `/system.slice/x.service`, from the container's cgroup root. */
  readonly cgroup: string;
  readonly main_start: number;
  /** `connected`, `refused`, `timeout`, or errno's text. */
  readonly first_result: string;
  readonly first_end: number;
  readonly first_success: number | null;
  readonly attempts: number;
}

/** The runs that `file` tells of, oldest first, as soon as there are `count` (each adds its line when it is through). */
export function connections(box: Container, file: string, count: number): Promise<readonly Connection[]> {
  return eventually(`${count} runs in ${file}`, async () => {
    const { code, stdout } = await box.exec(['cat', file]);
    const found = code === 0 ? stdout.split('\n').filter(Boolean) : [];
    return found.length >= count ? found.map((line) => JSON.parse(line) as Connection) : undefined;
  });
}

/** What a watch saw. Times: CLOCK_MONOTONIC, milliseconds. */
export interface Watched {
  /** Each change of what sending a datagram gives: `sent`, or errno's text (`Operation not permitted`: dropped). */
  readonly changes: readonly { readonly at: number; readonly result: string }[];
  readonly sent: number;
  readonly failed: number;
  /** The longest time between two datagrams that were sent. */
  readonly longest_gap: number;
}

export interface Watch {
  stop(): Promise<Watched>;
}

/** A unit of its own (`watch.service` unless named) that sends the server a datagram each `every` microseconds. */
export async function watching(box: Container, { unit = 'watch.service', every = 100 } = {}): Promise<Watch> {
  const file = `/run/${unit}.json`;
  await box.run(['rm', '-f', file]);
  const watch = ['first-connection', '-w', `${every}`, file, serverAddress, `${serverPorts[0]}`];
  await box.run(['systemd-run', '--quiet', '--collect', `--unit=${unit}`, '--', ...watch]);
  await eventually('the watch has begun', async () => (await box.exec(['test', '-s', file])).code === 0 || undefined);
  return {
    stop: async () => {
      await box.run(['systemctl', 'stop', unit]);
      const lines = (await box.read(file)).split('\n').filter(Boolean);
      const total = JSON.parse(lines.pop() ?? 'null') as Omit<Watched, 'changes'> | null;
      assert.equal(typeof total?.sent, 'number', `${unit} did not end by itself`);
      const changes = lines.map((line) => JSON.parse(line) as Watched['changes'][number]);
      return { sent: 0, failed: 0, longest_gap: 0, ...total, changes };
    },
  };
}
