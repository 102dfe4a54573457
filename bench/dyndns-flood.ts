/** Genuine updates, one a second, under a flood of forged packets with a known key id and fresh timestamps. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodePacket } from '../src/dyndns/packet.ts';
import { formatTimestamp } from '../src/dyndns/timestamp.ts';
import { compileFlood, type Flood, flood, newKey, port, sendFrom, serve, withFolder } from './_dyndns-site.ts';
import { ms, printTable, quantile } from './_figures.ts';
import { insideNamespace } from './_namespace.ts';

/** Not one of the flood's, which come from 127.1.0.0/16. */
const owner = '127.2.0.1';

interface Case {
  readonly updates: number;
  readonly flood?: Omit<Flood, 'seconds'>;
  /** The owner comes from an address that nobody knows, each time another. */
  readonly moves?: true;
}

const rate = 30_000;
const cases: readonly Case[] = [
  { updates: 20 },
  { updates: 60, flood: { rate, sources: 1 } },
  { updates: 60, flood: { rate, sources: 200 } },
  { updates: 20, flood: { rate, sources: 200 }, moves: true },
  { updates: 20, flood: { rate, sources: 2000 } },
  { updates: 20, flood: { rate, sources: 2000 }, moves: true },
  { updates: 20, flood: { rate: 2 * rate, sources: 2000 } },
  { updates: 20, flood: { rate: 4 * rate, sources: 2000 } },
];

interface Outcome {
  /** Packets a second that were sent. */
  readonly sent: number;
  readonly accepted: number;
  /** Milliseconds from sending to the acceptance, and to the zone file's replacement (its ctime); infinite: not within 900. */
  readonly toAccepted: readonly number[];
  readonly toZone: readonly number[];
  readonly zoneRight: boolean;
}

/** Milliseconds since midnight of a log line: `15:02:18.056 info  …` (UTC, as the bench runs the server). */
function timeOfDay(line: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = line.slice(0, 12).split(':').map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** The last acceptance of a packet from this address. */
function acceptedAt(log: readonly string[], source: string): number {
  const line = log.findLast((one) => one.includes(' update-accepted ') && one.includes(` address=${source} `));
  return line === undefined ? Number.NaN : timeOfDay(line);
}

async function outcomeOf(program: string, { updates, flood: flooding, moves }: Case): Promise<Outcome> {
  return await withFolder(async (folder) => {
    const key = newKey();
    const zone = join(folder, 'zone');
    writeFileSync(zone, `# dynamic: 0 ${key.verify.text}\n+home.example.org:192.0.2.1:300\n`);
    // A timestamp is written with every update, so that the file tells when the update was in it.
    const server = await serve(['--bind', `[::]:${port}`, '--update-timestamps', zone], 0);
    try {
      await sendFrom(owner, encodePacket(key, Date.now() / 1000));
      await sleep(300);
      const seconds = updates * 1.1 + 1.5;
      const flow = flooding === undefined ? 0 : flood(program, key.verify.id, { ...flooding, seconds });
      await sleep(500);
      const toZone: number[] = [];
      const toAccepted: number[] = [];
      let source = owner;
      for (let update = 0; update < updates; update += 1) {
        if (moves === true) source = `127.2.1.${update + 1}`;
        // Anywhere in the server's second: it looks at the zone files once in one.
        await sleep(Math.random() * 200);
        const timestamp = Date.now() / 1000;
        const at = await sendFrom(source, encodePacket(key, timestamp));
        await sleep(Math.max(0, 900 - (Date.now() - at)));
        const seen = readFileSync(zone, 'latin1').includes(formatTimestamp(timestamp));
        toZone.push(seen ? statSync(zone).ctimeMs - at : Number.POSITIVE_INFINITY);
        toAccepted.push(seen ? acceptedAt(server.log, source) - (at % 86_400_000) : Number.POSITIVE_INFINITY);
      }
      const sent = await flow;
      await sleep(1500);
      const accepted = server.log.filter((line) => line.includes(' update-accepted ')).length - 1;
      return { sent, accepted, toAccepted, toZone, zoneRight: readFileSync(zone, 'latin1').includes(`:${source}:`) };
    } finally {
      await server.stop();
    }
  });
}

function delayOf(value: number): string {
  return Number.isFinite(value) ? ms(value) : 'over 900';
}

function rowOf({ updates, flood: flooding, moves }: Case, outcome: Outcome): string[] {
  const { sent, accepted, toAccepted, toZone, zoneRight } = outcome;
  return [
    flooding === undefined ? 'none' : `${flooding.sources} source${flooding.sources === 1 ? '' : 's'}`,
    sent.toFixed(0),
    moves === true ? 'new each time' : 'known',
    `${accepted} of ${updates}`,
    ...[toAccepted, toZone].flatMap((delays) => [0.5, 0.95].map((share) => delayOf(quantile(delays, share)))),
    zoneRight ? 'yes' : 'no',
  ];
}

if (insideNamespace()) {
  await withFolder(async (folder) => {
    const program = compileFlood(folder);
    const rows: string[][] = [];
    for (const one of cases) {
      rows.push(rowOf(one, await outcomeOf(program, one)));
      process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
    }
    printTable(
      [
        'flood',
        'packets/s',
        'owner',
        'accepted',
        'accepted after ms, p50',
        'p95',
        'in the zone after ms, p50',
        'p95',
        'zone right',
      ],
      rows,
    );
  });
}
