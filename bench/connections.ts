/** What it takes to drop the tracked connections of addresses that change their route, in tables of up to 100 000 entries. */
import { TrackedConnections } from '../src/system/linux/tracked-connections.ts';
import { trackEntries } from '../test/kernel/tracked-entries.ts';
import { enterNamespace, ms, printTable } from './_figures.ts';

enterNamespace(import.meta.url);

const connections = await TrackedConnections.open();
const rows: string[][] = [];
let size = 0;

/** Entries of others, so that there are so many. */
async function grow(to: number): Promise<void> {
  const more = Array.from({ length: to - size }, (_, index) => {
    const n = size + index;
    return { from: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, to: `100.64.${n % 251}.1`, port: 1024 };
  });
  await trackEntries(more);
  size = to;
}

/** Milliseconds for all of it, and the longest that others had to wait. */
async function measure(addresses: number, each: number): Promise<void> {
  const asked = Array.from({ length: addresses }, (_, index) => `198.51.${index >> 8}.${index & 255}`);
  await trackEntries(
    asked.flatMap((to) => Array.from({ length: each }, (_, index) => ({ from: '192.0.2.7', to, port: 1024 + index }))),
  );
  let [worst, last, running] = [0, performance.now(), true];
  const look = (): void => {
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
    if (running) setImmediate(look);
  };
  look();
  const start = performance.now();
  const dropped = await connections.drop(new Set(asked));
  const took = performance.now() - start;
  running = false;
  if (dropped !== addresses * each) throw new Error(`${dropped} of ${addresses * each} were dropped`);
  rows.push([`${size}`, `${addresses}`, `${dropped}`, ms(took), ms(worst)]);
}

for (const others of [1000, 10_000, 100_000]) {
  await grow(others);
  for (const [addresses, each] of [
    [1, 10],
    [20, 10],
    [400, 20],
  ] as const) {
    await measure(addresses, each);
  }
}
connections.close();
printTable(['connections to others', 'addresses', 'dropped', 'ms', 'longest turn, ms'], rows);
