/** From packet to answer: the real program, tinydns-data and tinydns, beside a bare rebuild of the same zone. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/core/clock.ts';
import { encodePacket } from '../src/dyndns/packet.ts';
import { UdpNameServer } from '../src/system/linux/name-server.ts';
import { ended, newKey, port, sendFrom, serve, withFolder } from './_dyndns-site.ts';
import { ms, printTable, quantile } from './_figures.ts';
import { insideNamespace } from './_namespace.ts';

const name = 'home.example.org';
const sizes = [
  { lines: 10, updates: 30 },
  { lines: 10_000, updates: 30 },
  { lines: 1_000_000, updates: 7 },
];

interface Outcome {
  /** Bytes. */
  readonly file: number;
  /** Milliseconds. */
  readonly bare: readonly number[];
  readonly answered: readonly number[];
  /** Bytes, the most that were resident (VmHWM, proc_pid_status(5)). */
  readonly memory: number;
}

function writeZone(path: string, lines: number, key: string): void {
  const others = Array.from(
    { length: lines - 3 },
    (_, at) => `+host-${at}.example.org:10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}:300\n`,
  );
  const own = `\n# dynamic: 0 ${key}\n+${name}:192.0.2.1:300\n`;
  writeFileSync(path, `.example.org:127.0.0.1:a:300\n${others.join('')}${own}`);
}

/** A user namespace forbids setgroups(2) (user_namespaces(7)), which tinydns calls to give up root. */
function withoutSetgroups(folder: string): string {
  const made = join(folder, 'setgroups.so');
  const code = 'int setgroups(unsigned long count, const void *list) { return 0; }';
  const { status, stderr } = spawnSync('gcc', ['-shared', '-fPIC', '-x', 'c', '-o', made, '-'], { input: code });
  if (status !== 0) throw new Error(`gcc: ${stderr}`);
  return made;
}

async function published(folder: string, lines: number, updates: number): Promise<Outcome> {
  const root = join(folder, 'root');
  mkdirSync(root);
  const zone = join(root, 'data');
  const key = newKey();
  writeZone(zone, lines, key.verify.text);
  const rebuild = (): number => {
    const start = performance.now();
    const { status } = spawnSync('tinydns-data', { cwd: root });
    if (status !== 0) throw new Error(`tinydns-data ended with ${status}`);
    return performance.now() - start;
  };
  rebuild();
  const env = { PATH: process.env.PATH, ROOT: root, IP: '127.0.0.1', UID: '0', GID: '0' };
  const tinydns = spawn('tinydns', { env: { ...env, LD_PRELOAD: withoutSetgroups(folder) }, stdio: 'ignore' });
  const nameServer = new UdpNameServer(systemClock);
  const server = await serve(['--bind', `127.0.0.1:${port}`, zone, '--', 'env', '-C', root, 'tinydns-data']);
  const [bare, answered]: [number[], number[]] = [[], []];
  try {
    for (let update = 0; update < updates; update += 1) {
      bare.push(rebuild());
      const address = `127.3.0.${update + 1}`;
      const packet = encodePacket(key, Date.now() / 1000);
      const start = performance.now();
      await sendFrom(address, packet);
      for (;;) {
        const question = { server: '127.0.0.1', port: 53, name, type: 'A' as const, timeout: 1000 };
        const answer = await nameServer.ask(question);
        const took = performance.now() - start;
        if (answer.ok && answer.addresses[0] === address) {
          answered.push(took);
          break;
        }
        if (took > 60_000) throw new Error(`no answer with ${address}: ${server.log.slice(-5).join('\n')}`);
        await sleep(lines > 100_000 ? 10 : 1);
      }
      // What is still to be saved after it is not the next one's delay.
      await sleep(100);
    }
    const most = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1];
    return { file: statSync(zone).size, bare, answered, memory: Number(most) * 1024 };
  } finally {
    await server.stop();
    await ended(tinydns, 'SIGTERM');
  }
}

if (insideNamespace()) {
  const rows: string[][] = [];
  for (const { lines, updates } of sizes) {
    const { file, bare, answered, memory } = await withFolder((folder) => published(folder, lines, updates));
    const [ours, theirs] = [quantile(answered, 0.5), quantile(bare, 0.5)];
    rows.push([
      lines.toLocaleString('en').replaceAll(',', ' '),
      String(updates),
      ...[bare, answered].flatMap((times) => [0.5, 0.95].map((share) => ms(quantile(times, share)))),
      `${(ours / theirs).toFixed(2)} ×`,
      `${(file / 1e6).toFixed(1)} MB`,
      `${(memory / 1e6).toFixed(0)} MB`,
    ]);
  }
  printTable(
    [
      'lines',
      'updates',
      'bare rebuild, p50 ms',
      'p95',
      'packet to answer, p50 ms',
      'p95',
      'p50 : bare',
      'file',
      'peak memory',
    ],
    rows,
  );
}
