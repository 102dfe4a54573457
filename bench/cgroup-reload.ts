/** Reloads of the administrator's ruleset: how often and for how long a unit that is allowed is cut off, seen by a datagram each 0.1 ms. */
import { setTimeout as wait } from 'node:timers/promises';
import { comment, marked, ruleFile } from '../test/system/allowed-units.ts';
import type { Container } from '../test/system/container.ts';
import { refusing, watching } from '../test/system/packets.ts';
import { begin, benchContainer, end, floor, inComments, load, ownTable, type Way } from './_cgroup-ways.ts';
import { addresses, ms, printTable, quantile } from './_figures.ts';

const reloads = 40;

const watched = { unit: 'watch.service', path: 'system.slice/watch.service' };
const big = `  set addresses { type ipv4_addr; elements = { ${addresses(20_000).join(', ')} } }`;
const element = `# watch.service :: add element inet filter units { "${watched.path}" }\n`;
const units = '  set units { type cgroupsv2; }';
const inSet = 'socket cgroupv2 level 2 @units accept';

const groups: Way = { ...ownTable, toml: `${ownTable.toml?.replace('units = [', "units = ['watch.service', ")}` };
const ways: readonly Way[] = [
  floor,
  groups,
  {
    ...groups,
    name: `${groups.name}; 20 000 elements beside the administrator's rules`,
    ruleset: refusing(marked, { before: big }),
  },
  { ...inComments, ruleset: comment(watched) + refusing() },
  {
    ...inComments,
    name: 'netsteward, rules in comments; 20 000 elements beside them',
    ruleset: comment(watched) + refusing('', { before: big }),
  },
  // The set stands in for the jump that says when the rules are there.
  {
    ...inComments,
    name: 'netsteward, set element in a comment',
    ruleset:
      comment({ unit: 'x.service', path: 'system.slice/x.service' }) + element + refusing(inSet, { before: units }),
  },
  {
    ...inComments,
    name: 'netsteward, set element in a comment; 20 000 elements beside it',
    ruleset:
      comment({ unit: 'x.service', path: 'system.slice/x.service' }) +
      element +
      refusing(inSet, { before: `${units}\n${big}` }),
  },
];

/** One transaction, as `nft -f` makes of a file that begins with a flush; and two, between which everything is open. */
const kinds = {
  '`nft -f FILE`, which flushes in the same transaction': ['nft', '-f', ruleFile],
  '`nft flush ruleset; nft -f FILE`': ['sh', '-c', `nft flush ruleset; nft -f ${ruleFile}`],
} as const;

async function measure(box: Container, way: Way, reload: readonly string[]): Promise<readonly string[]> {
  const watch = await watching(box);
  await wait(300);
  for (let count = 0; count < reloads; count += 1) {
    await box.run(reload);
    await wait(200);
  }
  const { changes, sent, failed } = await watch.stop();
  const gaps = changes.flatMap(({ at, result }, index) => {
    const next = changes[index + 1];
    return result === 'sent' || next === undefined ? [] : [next.at - at];
  });
  const late = gaps.length === 0 ? ['-', '-', '-'] : [0.5, 0.95, 1].map((share) => ms(quantile(gaps, share)));
  return [way.name, `${gaps.length}`, ...late, `${failed} of ${sent + failed}`];
}

const { box } = await benchContainer({});
try {
  const before = await load();
  for (const [name, reload] of Object.entries(kinds)) {
    const rows: (readonly string[])[] = [];
    for (const way of ways) {
      await begin(box, way);
      rows.push(await measure(box, way, reload));
      await end(box, way);
    }
    process.stdout.write(`${reloads} × ${name}\n\n`);
    printTable(['way', 'interruptions', 'ms p50', 'p95', 'max', 'datagrams lost'], rows);
    process.stdout.write('\n');
  }
  process.stdout.write(`load before ${before}, after ${await load()}\n`);
} finally {
  await box.stop();
}
