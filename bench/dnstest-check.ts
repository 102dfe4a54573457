/** Checks of 100 resolvers at the same time: how much longer than the slowest of them it takes, for each transport. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { NameHash } from '../src/dnstest/name-hash.ts';
import { Prober } from '../src/dnstest/prober.ts';
import { readResolver } from '../src/dnstest/transport-address.ts';
import { LinuxDnsTransport } from '../src/system/linux/dns-client.ts';
import { LibcLookup } from '../src/system/linux/dns-client-libc.ts';
import { TrustStore } from '../src/system/linux/trust-store.ts';
import { enterNamespace, ms, printTable, quantile } from './_figures.ts';

enterNamespace(import.meta.url);

const count = 100;
/** Milliseconds between one resolver's delay and the next one's: 4, 8, … 400. */
const step = 4;
const rounds = 15;

const child = spawn(
  process.execPath,
  [join(import.meta.dirname, '_dnstest-check-server.js'), String(count), String(step)],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
process.on('exit', () => child.kill());
let said = '';
for await (const piece of child.stdout) said += String(piece);
const { ca } = JSON.parse(said) as { ca: string };

const trust = new TrustStore({ ca, bundles: [] }, systemClock);
const ports = {
  clock: systemClock,
  random: randomBytes,
  dns: new LinuxDnsTransport(systemClock, () => trust),
  libc: new LibcLookup(systemClock),
};
const hash = new NameHash('bench');

const ways: Readonly<Record<string, (address: string) => string>> = {
  UDP: (address) => address,
  TCP: (address) => `tcp://${address}`,
  TLS: (address) => `tls://dns.bench#${address}`,
  HTTPS: (address) => `https://dns.bench/dns-query#${address}`,
};

function probersOf(way: (address: string) => string): readonly Prober[] {
  return Array.from({ length: count }, (_, index) => {
    const { choice } = readResolver(way(`127.0.1.${index + 1}`));
    if (choice === undefined) throw new Error('no resolver');
    const template = { text: '@.test.example', places: 1 };
    return new Prober({ resolver: choice, template, family: 4, hash, timeout: 60_000 }, ports);
  });
}

interface Round {
  readonly wall: number;
  /** Milliseconds of this process, user and system. */
  readonly cpu: number;
}

async function round(probers: readonly Prober[]): Promise<Round> {
  const { signal } = new AbortController();
  const before = process.cpuUsage();
  const begun = performance.now();
  const results = await Promise.all(probers.map((prober) => prober.check(signal)));
  const wall = performance.now() - begun;
  const { user, system } = process.cpuUsage(before);
  const failed = results.find(({ failure }) => failure !== undefined);
  if (failed !== undefined) throw new Error(failed.failure?.text);
  return { wall, cpu: (user + system) / 1000 };
}

const rows: string[][] = [];
for (const [name, way] of Object.entries(ways)) {
  const probers = probersOf(way);
  await round(probers);
  const measured: Round[] = [];
  for (let index = 0; index < rounds; index++) measured.push(await round(probers));
  const of = (pick: (one: Round) => number, share = 0.5): string => ms(quantile(measured.map(pick), share));
  const delay = count * step;
  rows.push([
    name,
    `${delay} ms`,
    `${of(({ wall }) => wall)} ms`,
    `${of(({ wall }) => wall - delay)} ms`,
    `${of(({ wall }) => wall - delay, 1)} ms`,
    `${of(({ cpu }) => cpu / count)} ms`,
  ]);
}
printTable(
  [
    '100 resolvers over',
    'slowest server’s delay',
    'wall time (median of 15)',
    'more than the delay',
    'at worst',
    'CPU a check',
  ],
  rows,
);
process.exit(0);
