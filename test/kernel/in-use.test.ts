/** Services that the LAN uses come first: the kernel notes the packets, and their addresses are asked every two minutes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serviceAddress } from '../../src/lab/plan.ts';
import type { RunningDetail } from '../../src/nbrpc/index.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

const names = ['used.example', 'idle.example', 'free.example'] as const;
const addressOf = (name: (typeof names)[number]): string => serviceAddress(4, names.indexOf(name), 0);

let routed: RoutedLab;

before(async () => {
  routed = await RoutedLab.up({
    services: names.map((name) => ({ name, ipv4: [addressOf(name)], ipv6: [] })),
    // free.example is nobody's service.
    checkList: 'used.example\nidle.example',
    set: ['nbrpc.schedule="prompt"', 'nbrpc.in_use=true', 'nbrpc.control.services=["free.example"]'],
  });
});
after(() => routed?.down());

async function noted(): Promise<readonly string[]> {
  const json = await routed.router('nft', '-j', 'list', 'set', 'inet', 'netsteward-nbrpc', 'seen4');
  const { nftables } = JSON.parse(json) as { nftables: { set?: { elem?: { elem: { val: string } }[] } }[] };
  return nftables.flatMap(({ set }) => set?.elem ?? []).map(({ elem }) => elem.val);
}

async function detail(): Promise<RunningDetail | undefined> {
  const { modules } = await routed.status();
  return modules.find(({ name }) => name === 'nbrpc')?.health?.detail as RunningDetail | undefined;
}

test('what the LAN uses is noted where it is listed; netsteward`s own checks and other places are not', async () => {
  await eventually('both services are listed', async () => {
    const listing = await routed.router('nft', 'list', 'set', 'inet', 'netsteward-nbrpc', 'listed4');
    return listing.includes(addressOf('used.example')) && listing.includes(addressOf('idle.example'));
  });
  await eventually('both were checked and work', async () => (await detail())?.byStanding.ok === 2);
  assert.deepEqual(await noted(), []);
  for (const name of ['used.example', 'free.example']) {
    const { ok } = await routed.lab.curl(name);
    assert.ok(ok, name);
  }
  assert.deepEqual(await noted(), [addressOf('used.example')]);
  // It is asked for three times a minute.
  await eventually('netsteward knows', async () => (await detail())?.inUse === 1);
});
