/** What bench/isolation.ts runs beside netsteward in the lab's router: delays of cgroup rules, and of genuine dyndns packets. */
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { signingKey } from '../src/dyndns/keys.ts';
import { encodePacket } from '../src/dyndns/packet.ts';
import { formatTimestamp } from '../src/dyndns/timestamp.ts';
import { NetlinkSocket } from '../src/system/linux/nft-netlink-socket.ts';
import { netlinkEvents } from '../src/system/linux/ruleset-events.ts';
import { sendFrom } from './_dyndns-site.ts';

/** Milliseconds; infinite: not within two seconds. */
export interface Delays {
  readonly delays: readonly number[];
}

const limit = 2000;
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** From mkdir(2) of a unit's cgroup to the kernel's word that the table has changed. */
async function cgroups(slice: string, runs: number): Promise<Delays> {
  await NetlinkSocket.load();
  let heard = (): void => {};
  const watch = netlinkEvents.watch(
    () => new Set(),
    ({ tables }) => {
      if (tables === '*' || [...tables].some((table) => table.includes('netsteward-units'))) heard();
    },
    (error) => {
      throw error;
    },
  );
  const delays: number[] = [];
  for (let run = 0; run < runs; run++) {
    // Past the removal of an earlier one, and anywhere in whatever the others are doing.
    await wait(40 + Math.random() * 30);
    const change = new Promise<number>((resolve) => {
      heard = () => resolve(now());
    });
    const began = now();
    mkdirSync(join(slice, `measured-${run}.service`));
    delays.push(((await Promise.race([change, wait(limit)])) ?? Number.POSITIVE_INFINITY) - began);
  }
  heard = () => {};
  await watch.close();
  for (let run = 0; run < runs; run++) rmdirSync(join(slice, `measured-${run}.service`));
  return { delays };
}

/** From sending a packet to the moment (ctime) at which the zone file with it is there. */
async function updates(zone: string, seed: string, runs: number): Promise<Delays> {
  const key = signingKey(Buffer.from(seed, 'base64url'));
  const delays: number[] = [];
  for (let run = 0; run < runs; run++) {
    await wait(100 + Math.random() * 200);
    const timestamp = Date.now() / 1000;
    const began = await sendFrom('127.2.0.1', encodePacket(key, timestamp));
    // As the header has it; toFixed() rounds x.xx5 otherwise.
    const text = formatTimestamp(timestamp);
    const written = (): boolean => readFileSync(zone, 'latin1').includes(text);
    while (!written() && Date.now() - began < limit) await wait(5);
    delays.push(written() ? statSync(zone).ctimeMs - began : Number.POSITIVE_INFINITY);
  }
  return { delays };
}

const [what, place = '', runs = '0', seed = ''] = process.argv.slice(2);
const result = what === 'cgroups' ? await cgroups(place, Number(runs)) : await updates(place, seed, Number(runs));
// JSON knows no Infinity.
process.stdout.write(JSON.stringify({ delays: result.delays.map((each) => (Number.isFinite(each) ? each : null)) }));
