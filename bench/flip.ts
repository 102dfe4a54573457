/** What it costs to flip one address in a set of 10, 10 000 and 100 000, four ways; and whether packets miss an element meanwhile. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { openNft } from '../src/system/linux/nft-open.ts';
import { type NftOperation, type NftScript, type NftTable, nftScript } from '../src/system/nft-script.ts';
import type { Nft } from '../src/system/ports.ts';
import { addresses, enterNamespace, ms, printTable, quantile } from './_figures.ts';

const table: NftTable = { family: 'inet', name: 'bench' };
const set = 'blocked4';
const flipped = '192.0.2.1';
/** In the set all the time; where the packets go. */
const steady = '127.0.0.2';
const sourcePort = 50_000;
const file = '/run/flip.nft';

const add: NftOperation = { op: 'add-elements', table, set, addresses: [flipped] };
const remove: NftOperation = { op: 'delete-elements', table, set, addresses: [flipped] };

interface Way {
  readonly name: string;
  readonly flips: (size: number) => number;
  flip(on: boolean, all: readonly string[]): Promise<void>;
}

function spawnNft(script: NftScript): void {
  writeFileSync(file, script.text);
  execFileSync('nft', ['-f', file]);
}

function refill(on: boolean, all: readonly string[]): NftScript {
  return nftScript(
    { op: 'flush-set', table, set },
    { op: 'add-elements', table, set, addresses: on ? [...all, flipped] : all },
  );
}

function ways(inProcess: Nft, child: Nft): readonly Way[] {
  return [
    { name: 'libnftables in-process', flips: () => 1000, flip: (on) => inProcess.apply(nftScript(on ? add : remove)) },
    { name: 'kept-open `nft -i`', flips: () => 500, flip: (on) => child.apply(nftScript(on ? add : remove)) },
    { name: 'spawned `nft -f`, delta', flips: () => 60, flip: async (on) => spawnNft(nftScript(on ? add : remove)) },
    {
      name: 'spawned `nft -f`, flush and refill',
      flips: (size) => (size > 50_000 ? 20 : 60),
      flip: async (on, all) => spawnNft(refill(on, all)),
    },
  ];
}

async function fill(nft: Nft, all: readonly string[]): Promise<void> {
  const counted = (chain: string, inSet: boolean): NftOperation => ({
    op: 'add-rule',
    table,
    chain,
    when: [
      { kind: 'sport', protocol: 'udp', from: sourcePort, to: sourcePort },
      ...(inSet ? [{ kind: 'daddr-in-set', type: 'ipv4_addr', set } as const] : []),
    ],
    action: { kind: 'count' },
  });
  await nft.apply(
    nftScript(
      { op: 'add-table', table },
      { op: 'delete-table', table },
      { op: 'add-table', table },
      { op: 'add-set', table, set, type: 'ipv4_addr' },
      { op: 'add-chain', table, chain: 'out', type: 'filter', hook: 'output' },
      counted('out', false),
      counted('out', true),
      { op: 'add-elements', table, set, addresses: all },
    ),
  );
}

async function measureFlips(nft: Nft, all: readonly Way[]): Promise<void> {
  process.stdout.write(
    '\nOne address flipped in a set, milliseconds (one run, one machine, the ways one after the other):\n\n',
  );
  const rows: string[][] = [];
  for (const size of [10, 10_000, 100_000]) {
    const contents = [...addresses(size - 1), steady];
    const figures: { readonly way: Way; readonly samples: number[] }[] = [];
    await fill(nft, contents);
    for (const way of all) {
      const samples: number[] = [];
      for (let i = 0; i < way.flips(size) + 10; i++) {
        const start = performance.now();
        await way.flip(i % 2 === 0, contents);
        // The first ten warm up.
        if (i >= 10) samples.push(performance.now() - start);
      }
      figures.push({ way, samples });
    }
    const refillP50 = quantile(figures.at(-1)?.samples ?? [], 0.5);
    for (const { way, samples } of figures) {
      const p50 = quantile(samples, 0.5);
      const times = [p50, quantile(samples, 0.95), Math.max(...samples)].map(ms);
      rows.push([String(size), way.name, String(samples.length), ...times, `${(refillP50 / p50).toFixed(0)} ×`]);
    }
  }
  printTable(['elements', 'way', 'flips', 'p50', 'p95', 'max', 'cheaper than the refill'], rows);
}

/** Packets sent, and packets that found the steady address in the set. The sender must be at rest. */
function counters(): { readonly sent: number; readonly hits: number } {
  const text = execFileSync('nft', ['list', 'chain', 'inet', table.name, 'out'], { encoding: 'utf8' });
  const [sent, hits] = [...text.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
  return { sent: sent ?? Number.NaN, hits: hits ?? Number.NaN };
}

async function measurePackets(nft: Nft, all: readonly Way[]): Promise<void> {
  process.stdout.write(
    '\nPackets to an address that is in the set all the time, while another is flipped in 100 000:\n\n',
  );
  const contents = [...addresses(99_999), steady];
  await fill(nft, contents);
  const sender = new Worker(fileURLToPath(import.meta.url));
  const order = (word: 'go' | 'rest'): Promise<void> =>
    new Promise((resolve) => {
      sender.once('message', () => resolve());
      sender.postMessage(word);
    });
  const rows: string[][] = [];
  let seen = counters();
  const count = async (name: string, flips: number, flip: (on: boolean) => Promise<void>): Promise<void> => {
    await order('go');
    for (let i = 0; i < flips; i++) await flip(i % 2 === 0);
    await order('rest');
    const now = counters();
    const sent = now.sent - seen.sent;
    rows.push([name, String(flips), String(sent), String(sent - (now.hits - seen.hits))]);
    seen = now;
  };
  for (const way of all) {
    const flips = { 1000: 10_000, 500: 3000, 60: 60, 20: 8 }[way.flips(100_000)] ?? 10;
    await count(way.name, flips, (on) => way.flip(on, contents));
  }
  await count('control: flush and refill as two transactions', 8, async () => {
    await nft.apply(nftScript({ op: 'flush-set', table, set }));
    await nft.apply(nftScript({ op: 'add-elements', table, set, addresses: contents }));
  });
  await sender.terminate();
  printTable(['way', 'flips', 'packets', 'missed'], rows);
}

/** The worker: sends to `steady` as quickly as it can between "go" and "rest". */
function sendPackets(): void {
  const receiver = createSocket('udp4').bind(9, steady);
  receiver.on('message', () => {});
  const sender = createSocket('udp4').bind(sourcePort);
  const payload = Buffer.alloc(32);
  let going = false;
  let under = 0;
  const burst = (): void => {
    if (!going) {
      if (under === 0) parentPort?.postMessage('resting');
      return;
    }
    for (let i = 0; i < 64; i++) {
      under += 1;
      sender.send(payload, 9, steady, () => {
        under -= 1;
        if (under === 0) setImmediate(burst);
      });
    }
  };
  parentPort?.on('message', (word: 'go' | 'rest') => {
    going = word === 'go';
    if (!going) return;
    parentPort?.postMessage('going');
    burst();
  });
}

if (isMainThread) {
  enterNamespace(import.meta.url);
  const [inProcess, child] = [await openNft('libnftables'), await openNft('nft -i')];
  const all = ways(inProcess, child);
  await measureFlips(inProcess, all);
  await measurePackets(inProcess, all);
  await inProcess.close();
  await child.close();
} else sendPackets();
