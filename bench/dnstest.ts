/** The test zone's server against Knot DNS with a static wildcard: queries a second, p99, what an answer costs, memory. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { decode, encode } from 'dns-packet';
import { Answerer } from '../src/dnstest/answer.ts';
import { NameHash } from '../src/dnstest/name-hash.ts';
import { Question } from '../src/dnstest/question.ts';
import { mainJs } from '../test/checkout.ts';
import { enterNamespace, ms, printTable, quantile } from './_figures.ts';

enterNamespace(import.meta.url);

const zone = 'test.example';
const key = 'hash-key';
const rounds = 7;
/** Seconds. */
const roundLength = 3;
/** Queries a second at which latency is measured: what both carry with ease. */
const steadyRate = 5000;
const memoryQueries = 10_000_000;

const folder = mkdtempSync('/tmp/netsteward-bench-dnstest-');
const queries = join(folder, 'queries');

interface Server {
  readonly name: string;
  readonly address: string;
  readonly child: ChildProcess;
}

function startKnot(): Server {
  const address = '127.0.0.2';
  for (const name of ['run', 'db']) mkdirSync(join(folder, name));
  writeFileSync(
    join(folder, 'zone'),
    `$ORIGIN ${zone}.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A ${address}\n* A 192.0.2.1\n* AAAA 2001:db8::1\n`,
  );
  writeFileSync(
    join(folder, 'knot.conf'),
    `server:
  rundir: ${folder}/run
  listen: ${address}@53
database:
  storage: ${folder}/db
log:
  - target: stderr
    any: warning
zone:
  - domain: ${zone}
    file: ${folder}/zone
    zonefile-sync: -1
    journal-content: none
`,
  );
  const child = spawn('knotd', ['-c', join(folder, 'knot.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { name: 'Knot DNS, static wildcard', address, child };
}

function startOurs(): Server {
  const address = '127.0.0.3';
  const args = [mainJs, 'dnstest', 'serve', '-k', key, '--zone', zone, '-b', address];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  return { name: 'netsteward dnstest serve', address, child };
}

/** dnsperf's report. */
function load(server: Server, args: readonly string[]): string {
  return execFileSync('dnsperf', ['-s', server.address, '-d', queries, '-c', '10', ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

const figure = (report: string, what: RegExp): number => Number(what.exec(report)?.[1] ?? Number.NaN);

/** Microseconds of CPU that the process has had (proc(5): utime and stime, in ticks of 10 ms). */
function cpuOf({ child }: Server): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function residentOf({ child }: Server): number {
  return figure(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /VmRSS:\s+(\d+)/) / 1024;
}

async function ready(server: Server): Promise<void> {
  for (;;) {
    const socket = createSocket('udp4');
    const answered = new Promise<boolean>((resolve) => {
      socket.on('message', () => resolve(true)).on('error', () => resolve(false));
      void wait(300).then(() => resolve(false));
    });
    socket.send(encode({ type: 'query', id: 1, questions: [{ name: `a.${zone}`, type: 'A' }] }), 53, server.address);
    const came = await answered;
    socket.close();
    if (came) return;
  }
}

interface Measured {
  readonly rates: number[];
  readonly p99: number[];
  readonly cpu: number[];
}

function measure(servers: readonly Server[]): ReadonlyMap<Server, Measured> {
  const found = new Map(servers.map((server) => [server, { rates: [], p99: [], cpu: [] } as Measured]));
  for (let round = 0; round < rounds; round++) {
    // The order changes, so that neither has the better half of a round always.
    for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
      const before = cpuOf(server);
      const report = load(server, ['-l', String(roundLength), '-q', '200']);
      const completed = figure(report, /Queries completed:\s+(\d+)/);
      found.get(server)?.rates.push(figure(report, /Queries per second:\s+([\d.]+)/));
      found.get(server)?.cpu.push((cpuOf(server) - before) / completed);
      const steady = load(server, ['-l', '2', '-Q', String(steadyRate), '-v']);
      const latencies = [...steady.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(([, seconds]) => Number(seconds) * 1000);
      found.get(server)?.p99.push(quantile(latencies, 0.99));
    }
  }
  return found;
}

/** Microseconds of CPU for one, the median of nine runs. */
function cost(work: (index: number) => unknown): number {
  const times: number[] = [];
  const count = 50_000;
  for (let run = 0; run < 10; run++) {
    const before = process.cpuUsage();
    for (let index = 0; index < count; index++) work(index);
    const { user, system } = process.cpuUsage(before);
    if (run > 0) times.push((user + system) / count);
  }
  return quantile(times, 0.5);
}

/** Microseconds of CPU for one datagram that is sent as the server sends it. */
async function sendCost(): Promise<number> {
  const sink = createSocket('udp4').bind(5399, '127.0.0.9');
  await new Promise((resolve) => sink.once('listening', resolve));
  sink.removeAllListeners('message');
  const socket = createSocket({ type: 'udp4', lookup: (address, _options, done) => done(null, address, 4) });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const message = Buffer.alloc(60);
  const times: number[] = [];
  for (let run = 0; run < 10; run++) {
    const before = process.cpuUsage();
    for (let index = 0; index < 2000; index++) socket.send(message, 5399, '127.0.0.9');
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 2000);
    await wait(20);
  }
  socket.close();
  sink.close();
  return quantile(times, 0.5);
}

async function costs(total: number): Promise<void> {
  const hash = new NameHash(key);
  const messages = Array.from({ length: 1024 }, (_, index) =>
    encode({ type: 'query', id: index, questions: [{ name: `n${index}abcdefgh.${zone}`, type: 'A' }] }),
  );
  const at = (index: number): Buffer => messages[index & 1023] ?? Buffer.alloc(0);
  const question = new Question();
  const digest = new Uint8Array(32);
  const name = Buffer.from(`n1abcdefgh.${zone}`);
  const answerer = new Answerer({ hash, ttl: 300, zones: [{ name: zone, servers: [] }] });
  const parts = {
    decode: cost((index) => question.read(at(index))),
    hash: cost(() => hash.digestInto(name, digest)),
    answer: cost((index) => answerer.answer(at(index), 'udp')),
    send: await sendCost(),
  };
  const library = cost((index) => {
    const query = decode(at(index));
    const [asked] = query.questions ?? [];
    if (asked === undefined) return undefined;
    const data = hash.address(asked.name, 4);
    return encode({
      type: 'response',
      id: query.id ?? 0,
      questions: [asked],
      answers: [{ ...asked, type: 'A', ttl: 300, data }],
    });
  });
  const us = (value: number): string => value.toFixed(2);
  const encoding = parts.answer - parts.decode - parts.hash;
  const receive = total - parts.answer - parts.send;
  process.stdout.write('\n');
  printTable(
    ['part of one answer', 'µs of CPU', 'share'],
    (
      [
        ['receive (the rest: kernel, libuv, Node)', receive],
        ['decode', parts.decode],
        ['hash', parts.hash],
        ['encode', encoding],
        ['send', parts.send],
        ['all, as the kernel counts it for the process', total],
        ['for comparison: decode, hash and encode with dns-packet', library],
      ] as const
    ).map(([what, value]) => [what, us(value), `${((value / total) * 100).toFixed(0)} %`]),
  );
}

function memory(server: Server): void {
  const rows: string[][] = [];
  let asked = 0;
  for (const upTo of [100_000, 1_000_000, memoryQueries / 2, memoryQueries]) {
    const lines = 20_000;
    const report = load(server, ['-n', String(Math.ceil((upTo - asked) / lines)), '-q', '200']);
    asked += figure(report, /Queries completed:\s+(\d+)/);
    rows.push([asked.toLocaleString('en'), residentOf(server).toFixed(1)]);
  }
  process.stdout.write('\n');
  printTable(['queries', 'resident MB'], rows);
}

const servers = [startKnot(), startOurs()] as const;
try {
  writeFileSync(
    queries,
    Array.from(
      { length: 20_000 },
      (_, index) => `${((index * 2_654_435_761) % 2 ** 32).toString(36)}x${index}.${zone} A\n`,
    ).join(''),
  );
  for (const server of servers) await ready(server);
  const found = measure(servers);
  const [knot, ours] = servers.map((server) => found.get(server) ?? { rates: [], p99: [], cpu: [] });
  if (knot === undefined || ours === undefined) throw new Error('nothing was measured');
  const ratios = ours.rates.map((rate, round) => rate / (knot.rates[round] ?? Number.NaN));
  printTable(
    ['server', 'queries/s, median', `p99 at ${steadyRate} queries/s, ms`, 'CPU for an answer, µs'],
    servers.map((server, index) => {
      const measured = index === 0 ? knot : ours;
      return [
        server.name,
        quantile(measured.rates, 0.5).toFixed(0),
        ms(quantile(measured.p99, 0.5)),
        quantile(measured.cpu, 0.5).toFixed(1),
      ];
    }),
  );
  const [low, middle, high] = [0.05, 0.5, 0.95].map((share) => quantile(ratios, share).toFixed(2));
  process.stdout.write(`\nOurs to Knot's, in ${rounds} paired rounds: ${middle} (${low} to ${high}); goal: 0.35\n`);
  await costs(quantile(ours.cpu, 0.5));
  memory(servers[1]);
} finally {
  for (const { child } of servers) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
