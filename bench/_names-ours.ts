/** One way of resolving in bench/names.ts, a process of its own: `_names-ours.js getaddrinfo|serial|PORT COUNT`. */
import { systemClock } from '../src/core/clock.ts';
import { openResolver } from '../src/system/linux/resolver.ts';
import { SystemResolver } from '../src/system/linux/resolver-system.ts';

const [way = '', count = '0'] = process.argv.slice(2);

const resolver =
  way === 'serial'
    ? new SystemResolver({ clock: systemClock, concurrency: 1 })
    : openResolver(systemClock, way === 'getaddrinfo' ? undefined : [{ address: '127.0.0.1', port: Number(way) }]);

const { signal } = new AbortController();
const before = process.cpuUsage();
const start = performance.now();
const outcomes = await Promise.all(
  Array.from({ length: Number(count) }, (_, i) =>
    resolver.resolve({ name: `h${i}.example.test`, timeout: 10_000 }, signal),
  ),
);
const wall = performance.now() - start;
const used = process.cpuUsage(before);
const resolved = outcomes.filter((outcome) => outcome.ok && outcome.addresses.length === 3).length;
process.stdout.write(JSON.stringify({ wall, cpu: (used.user + used.system) / 1000, resolved }));
