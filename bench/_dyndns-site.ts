/** What the dyndns benches share: the real program on a zone of its own, its log as events, and the flood in C. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type SigningKey, signingKey } from '../src/dyndns/keys.ts';
import { checkout, mainJs } from '../test/checkout.ts';

export const port = 5533;

export function newKey(): SigningKey {
  return signingKey(randomBytes(32));
}

/** Runs `work` with an empty folder that is gone afterwards. */
export async function withFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Serving {
  readonly pid: number;
  /** What it has logged, a line each. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

/** `netsteward dyndns serve …`; resolves once it listens. `core`: the one that it is pinned to. */
export async function serve(args: readonly string[], core?: number, node: readonly string[] = []): Promise<Serving> {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
  const [program = '', ...rest] = [...pinned, process.execPath, ...node, mainJs, 'dyndns', 'serve', ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TZ: 'UTC' } });
  const log: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      if (line.includes(' listening ')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${log.join('\n')}`)));
  });
  return {
    pid: child.pid ?? 0,
    log,
    async stop() {
      await ended(child, 'SIGTERM');
    },
  };
}

/** Compiles the flood into this folder (needs gcc). */
export function compileFlood(folder: string): string {
  const program = join(folder, 'flood');
  const words = ['-O2', '-o', program, join(checkout, 'bench', '_dyndns-flood.c')];
  const { status, stderr, error } = spawnSync('gcc', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`gcc: ${error?.message ?? stderr}`);
  return program;
}

export interface Flood {
  /** Packets a second; 0: as many as it can. */
  readonly rate: number;
  readonly seconds: number;
  readonly sources: number;
}

/** Resolves with the packets a second that it really sent. */
export async function flood(program: string, keyId: string, { rate, seconds, sources }: Flood): Promise<number> {
  const words = [program, port, rate, seconds, sources, keyId].map(String);
  const child = spawn('taskset', ['-c', '1', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`flood ended with ${code}`);
  const [sent = 0, took = 1] = said.trim().split(' ').map(Number);
  return sent / took;
}

/** One datagram from this address of the machine; resolves with the time of sending, milliseconds since the Unix epoch. */
export async function sendFrom(source: string, packet: Uint8Array): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, source, resolve));
  const at = Date.now();
  await new Promise<void>((resolve, reject) =>
    socket.send(packet, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
  );
  socket.close();
  return at;
}

export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}
