/** How long the administrator's sets are wrong after somebody flushes and reloads the ruleset, until nft-agent has put them back. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { systemClock } from '../src/core/clock.ts';
import type { Logger } from '../src/core/log.ts';
import { spawnedAgent } from '../src/system/linux/nft-agent-channel.ts';
import { NftAgentClient } from '../src/system/linux/nft-agent-client.ts';
import { listedSet } from '../src/system/linux/nft-listed-set.ts';
import { openNft } from '../src/system/linux/nft-open.ts';
import { netlinkEvents, openRulesetEvents } from '../src/system/linux/ruleset-events.ts';
import { nftScript } from '../src/system/nft-script.ts';
import { agentCommand } from '../test/kernel/nft-agent-entry.ts';
import { addresses, enterNamespace, ms, printTable, quantile } from './_figures.ts';

const rounds = 40;
const nft = promisify(execFile);
const table = { family: 'inet', name: 'filter' } as const;
const ruleset = `table inet filter {
  set blocked4 { type ipv4_addr; }
  set blocked6 { type ipv6_addr; }
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    ip daddr @blocked4 meta mark set meta mark or 0x10000
    ip6 daddr @blocked6 meta mark set meta mark or 0x10000
  }
  chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; }
}
`;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

enterNamespace(import.meta.url);
writeFileSync('/run/reload.nft', ruleset);
writeFileSync('/run/atomic.nft', `flush ruleset\n${ruleset}`);

const ways = {
  '`nft flush ruleset; nft -f FILE`': async () => {
    await nft('nft', ['flush', 'ruleset']);
    await nft('nft', ['-f', '/run/reload.nft']);
  },
  '`nft -f FILE`, which flushes in the same transaction': async () => {
    await nft('nft', ['-f', '/run/atomic.nft']);
  },
};

await openRulesetEvents();
const reader = await openNft('libnftables');
const rows: string[][] = [];
for (const size of [100, 20_000]) {
  await nft('nft', ['-f', '/run/atomic.nft']);
  const sets = new NftAgentClient({
    open: spawnedAgent([...agentCommand, '--supervised']),
    config: {
      kind: 'foreign',
      family: table.family,
      table: table.name,
      sets: [
        { name: 'blocked4', type: 'ipv4_addr' },
        { name: 'blocked6', type: 'ipv6_addr' },
      ],
    },
    onStop: 'keep',
    clock: systemClock,
    log: silent,
  });
  await sets.hold(new Map([['blocked4', new Set(addresses(size))]]));
  for (const [way, reload] of Object.entries(ways)) {
    const sinceFlush: number[] = [];
    const sinceReload: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = sets.status().refills;
      const commits: number[] = [];
      const watch = netlinkEvents.watch(
        () => new Set(),
        () => commits.push(performance.now()),
        (error) => {
          throw error;
        },
      );
      await reload();
      const wanted = way.includes(';') ? 3 : 2;
      while (sets.status().refills === before || commits.length < wanted)
        await new Promise((turn) => setTimeout(turn, 1));
      await watch.close();
      const listed = await listedSet(await reader.list(nftScript({ op: 'list-set', table, set: 'blocked4' })));
      if (listed?.addresses === 'uncountable' || listed?.addresses.size !== size)
        throw new Error('the set is not right');
      const [refilled, reloaded, flushed] = [commits.at(-1), commits.at(-2), commits[0]];
      if (refilled === undefined || reloaded === undefined || flushed === undefined)
        throw new Error('a commit is missing');
      sinceFlush.push(refilled - flushed);
      sinceReload.push(refilled - reloaded);
    }
    const figures = [sinceFlush, sinceReload].flatMap((samples) => [quantile(samples, 0.5), quantile(samples, 0.95)]);
    rows.push([String(size), way, String(rounds), ...figures.map(ms)]);
  }
  await sets.close('keep');
}
await reader.close();
process.stdout.write(
  "\nThe administrator's sets after somebody else's reload, milliseconds from commit to commit:\n\n",
);
printTable(
  ['elements', 'reload', 'rounds', 'flush to right again, p50', 'p95', 'reload to right again, p50', 'p95'],
  rows,
);
