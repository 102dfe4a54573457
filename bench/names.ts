/** 300 names, 50 ms from their resolver: one after another as the original asks, through getaddrinfo, and through c-ares. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { HostileNameServer } from '../test/kernel/probe-name-server.ts';
import { insideNamespace, print } from './_namespace.ts';

const count = 300;
const delay = 50;

interface Report {
  readonly wall: number;
  readonly cpu: number;
  readonly resolved: number;
}

async function run(way: string, threads?: number): Promise<Report> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '_names-ours.js'), way, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(threads === undefined ? {} : { UV_THREADPOOL_SIZE: String(threads) }) },
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  await once(child, 'close');
  return JSON.parse(text) as Report;
}

async function main(): Promise<void> {
  const server = fork(process.argv[1] ?? '', ['server']);
  await once(server, 'message');
  try {
    print(`${count} names, ${delay} ms from their resolver. Goal: under 1 s.\n`);
    print('| way | wall | CPU a name | resolved |');
    print('|---|---:|---:|---:|');
    const ways: readonly (readonly [string, string, number?])[] = [
      ['getaddrinfo, one after another (the original)', 'serial'],
      ['getaddrinfo, as Node starts (UV_THREADPOOL_SIZE=4)', 'getaddrinfo'],
      ['getaddrinfo, UV_THREADPOOL_SIZE=64', 'getaddrinfo', 64],
      ['named server, c-ares', '53'],
    ];
    for (const [label, way, threads] of ways) {
      const { wall, cpu, resolved } = await run(way, threads);
      print(`| ${label} | ${(wall / 1000).toFixed(2)} s | ${(cpu / count).toFixed(2)} ms | ${resolved} |`);
    }
  } finally {
    server.kill();
  }
}

if (process.argv[2] === 'server') {
  await new HostileNameServer(delay).listen(53);
  process.send?.('ready');
} else if (
  insideNamespace('echo nameserver 127.0.0.1 > /run/resolv.conf && mount --bind /run/resolv.conf /etc/resolv.conf')
) {
  await main();
}
