/** What wakes netsteward while no unit starts or stops: voluntary switches of context of each of its threads in a minute. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { service } from '../test/system/allowed-units.ts';
import type { Container } from '../test/system/container.ts';
import { begin, benchContainer, end, inComments, load, ownTable } from './_cgroup-ways.ts';
import { printTable } from './_figures.ts';

const seconds = Number(process.env.SECONDS ?? 60);

/** By what the process is, with the threads of each together. */
function switches(box: Container): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  // The container's cgroup lists pids as this machine counts them.
  const text = readFileSync(join(box.cgroup, 'system.slice', service, 'cgroup.procs'), 'utf8');
  for (const pid of text.split('\n').filter(Boolean)) {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const name = words.some((word) => word.endsWith('module-entry.js'))
      ? 'the module'
      : words[0]?.includes('journalctl') === true
        ? 'journalctl'
        : words.includes('run')
          ? 'the supervisor'
          : 'the drop-in';
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      const count = Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
      const key = `${name}${thread === pid ? '' : ', its other threads'}`;
      found.set(key, (found.get(key) ?? 0) + count);
    }
  }
  return found;
}

const { box } = await benchContainer({});
try {
  const rows: (readonly string[])[] = [];
  const before = await load();
  for (const way of [ownTable, inComments]) {
    await begin(box, way);
    // Margins of starts are asked for some seconds after them.
    await wait(10_000);
    const first = switches(box);
    await wait(seconds * 1000);
    for (const [name, count] of switches(box)) rows.push([way.name, name, `${count - (first.get(name) ?? 0)}`]);
    await end(box, way);
  }
  printTable(['way', 'process', `switches in ${seconds} s`], rows);
  process.stdout.write(`\nload before ${before}, after ${await load()}\n`);
} finally {
  await box.stop();
}
