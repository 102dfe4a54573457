/** 500 units with rules, started by one command: how many are refused first, how late the rules are, and what it costs. */

import { service } from '../test/system/allowed-units.ts';
import type { Container } from '../test/system/container.ts';
import { refusing } from '../test/system/packets.ts';
import {
  begin,
  benchContainer,
  delaysOf,
  end,
  file,
  floor,
  inComments,
  interactive,
  journal,
  load,
  ownTable,
  spawned,
  take,
  unitText,
  type Way,
} from './_cgroup-ways.ts';
import { ms, printTable, quantile } from './_figures.ts';

const count = Number(process.env.COUNT ?? 500);
const rounds = Number(process.env.ROUNDS ?? 3);

const path = 'system.slice/system-many.slice/many@';
const instances = Array.from({ length: count }, (_, index) => `many@${index}.service`);
/** One rule for each unit, as a machine's own configuration would have them. */
const rules = instances
  .map(
    (unit) =>
      `# ${unit} :: add rule inet filter allowed socket cgroupv2 level 3 "system.slice/system-many.slice/${unit}" accept\n`,
  )
  .join('');

/** Part of the names of those that are wanted; all where it is not set. */
const only = process.env.ONLY ?? '';

const all: readonly Way[] = [
  floor,
  ownTable,
  interactive,
  { ...inComments, name: `netsteward, ${count} rules in comments`, ruleset: rules + refusing() },
  spawned,
  journal,
];
const ways = all.filter(({ name }) => name.includes(only));

/** CPU milliseconds that everything in a cgroup has used. */
async function cpuOf(box: Container, way: Way): Promise<number> {
  if (way.unit === undefined) return 0;
  const text = await box.read(`/sys/fs/cgroup/system.slice/${service}/cpu.stat`);
  return Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1000;
}

const { box } = await benchContainer({ '/etc/systemd/system/many@.service': unitText(file) });
try {
  const before = await load();
  const found = new Map<
    string,
    { refused: number[]; late: number[]; worst: number[]; cpu: number[]; never: number[] }
  >();
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) {
      await begin(box, way);
      const cpu = await cpuOf(box, way);
      await box.run(['systemctl', 'start', ...instances], { timeout: 120_000 });
      const made = await take(box, file, count);
      const used = (await cpuOf(box, way)) - cpu;
      await end(box, way);
      const late = made.flatMap(({ first_result: result, first_success: at, main_start: from }) => {
        return result === 'connected' || at === null ? [] : [at - from];
      });
      const { refused, never } = delaysOf(made);
      const entry = found.get(way.name) ?? { refused: [], late: [], worst: [], cpu: [], never: [] };
      found.set(way.name, entry);
      entry.refused.push(refused);
      entry.never.push(never);
      entry.late.push(...late);
      entry.worst.push(Math.max(0, ...late));
      entry.cpu.push(used);
      await box.run(['systemctl', 'reset-failed']);
    }
  }
  printTable(
    ['way', `first connection refused, of ${count}`, 'never let through', 'late ms p50', 'max', 'CPU ms'],
    ways.map(({ name }) => {
      const { refused = [], late = [], worst = [], cpu = [], never = [] } = found.get(name) ?? {};
      const latest = late.length === 0 ? ['-', '-'] : [ms(quantile(late, 0.5)), worst.map(ms).join(', ')];
      return [name, refused.join(', '), never.join(', '), ...latest, cpu.map((one) => one.toFixed(0)).join(', ')];
    }),
  );
  process.stdout.write(`\n${path}N.service; each round apart; load before ${before}, after ${await load()}\n`);
} finally {
  await box.stop();
}
