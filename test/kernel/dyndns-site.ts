/** A zone with a real tinydns on it, servers of this build, and packets of two keys: for tests in a namespace. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { readSeed, type SigningKey } from '../../src/dyndns/keys.ts';
import { UdpNameServer } from '../../src/system/linux/name-server.ts';
import { mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';

export const port = 5533;
export const name = 'home.example.org';

/** The contract's first key, and one more. */
const seeds = ['1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=', 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA='];

function keyOf(seed = ''): SigningKey {
  const read = readSeed(seed);
  if (read.problem !== undefined) throw new Error(read.problem);
  return read.value;
}

export const [key, second] = [keyOf(seeds[0]), keyOf(seeds[1])];

/** A generic AAAA record, which Debian's tinydns knows. */
export function aaaa(host: string, bytes: readonly number[]): string {
  return `:${host}:28:${bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}:300`;
}

export const loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

export interface Site {
  readonly folder: string;
  readonly zone: string;
  /** Starts the server; resolves when it listens. */
  serve(...flags: string[]): Promise<Server>;
}

export interface Server {
  readonly child: ChildProcess;
  readonly said: () => string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export async function onSite(zoneText: string, work: (site: Site) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dyndns-'));
  mkdirSync(join(folder, 'root'));
  const zone = join(folder, 'root', 'data');
  writeFileSync(zone, zoneText);
  const build = 'cd "$0" && tinydns-data && echo run >> ../runs';
  assert.equal(spawnSync('sh', ['-c', build, join(folder, 'root')]).status, 0);
  const running: ChildProcess[] = [];
  // A user namespace of an ordinary user forbids setgroups(2) (user_namespaces(7)), which tinydns calls to give up root.
  const shim = join(folder, 'setgroups.so');
  const code = 'int setgroups(unsigned long count, const void *list) { return 0; }';
  const compiled = spawnSync('cc', ['-shared', '-fPIC', '-x', 'c', '-o', shim, '-'], { input: code, encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stderr);
  const tinydns = spawn('tinydns', {
    env: { PATH: process.env.PATH, ROOT: join(folder, 'root'), IP: '127.0.0.1', UID: '0', GID: '0', LD_PRELOAD: shim },
    stdio: 'ignore',
  });
  running.push(tinydns);
  try {
    await work({
      folder,
      zone,
      async serve(...flags) {
        const args = [mainJs, 'dyndns', 'serve', ...flags, zone, '--', 'sh', '-c', build, join(folder, 'root')];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        running.push(child);
        let said = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
        await until(
          () => said.includes('listening') || child.exitCode !== null,
          () => said,
        );
        assert.equal(child.exitCode, null, said);
        return {
          child,
          said: () => said,
          async stop(signal = 'SIGTERM') {
            if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
            // Not 'exit': its last words may still be on their way.
            const exit = once(child, 'close');
            child.kill(signal);
            const [code] = await exit;
            return code as number | null;
          },
        };
      },
    });
  } finally {
    for (const child of running) if (child.exitCode === null) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `details`: for when it never holds. */
export async function until(holds: () => boolean | Promise<boolean>, details: () => string): Promise<void> {
  await eventually('what is waited for', holds, { details });
}

/** From a source address of this host. */
export async function send(packet: Uint8Array, source: string, to = port): Promise<void> {
  const socket = createSocket(source.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => socket.bind(0, source, resolve));
  await new Promise((resolve) =>
    socket.send(packet, to, source.includes(':') ? '::1' : '127.0.0.1', () => resolve(undefined)),
  );
  socket.close();
}

const asker = new UdpNameServer(systemClock);

export async function answers(type: 'A' | 'AAAA', host = name): Promise<readonly string[]> {
  const answer = await asker.ask({ server: '127.0.0.1', port: 53, name: host, type, timeout: 500 });
  return answer.ok ? answer.addresses : [answer.reason];
}

export async function answered(type: 'A' | 'AAAA', address: string, server: Server, host = name): Promise<void> {
  let last: readonly string[] = [];
  await until(
    async () => {
      last = await answers(type, host);
      return last.includes(address);
    },
    () => `${host} ${type} ${address}, but ${last.join()}; ${server.said()}`,
  );
}

export const now = (): number => Date.now() / 1000;
export const authority = `.example.org:127.0.0.1:a\n`;

/** Why this machine cannot run such a site. */
export function lackingForSite(): string | undefined {
  const script = 'PATH=$PATH:/usr/sbin; command -v tinydns-data && command -v tinydns && command -v cc';
  const found = spawnSync('sh', ['-c', script]).status === 0;
  return found ? undefined : 'NOT TESTED: tinydns or a C compiler is not installed (apt: tinydns gcc)';
}
