/** A check that gets no answer for half a minute, and an own side that does not work: what needs no check goes its way all the same. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunningDetail } from '../../src/nbrpc/index.ts';
import { checkout } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

const table = ['inet', 'filter'] as const;
const sets =
  'table inet filter { set blocked4 { type ipv4_addr; }; set blocked6 { type ipv6_addr; }; chain forward { }; }';
let routed: RoutedLab;

/** The example configuration, with sets of the administrator's: these outlive the agent. */
function configuration(onStop: 'keep' | 'flush'): string {
  const text = readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8');
  const [before = ''] = text.split('\n[nbrpc.table]\n');
  assert.match(before, /\non_stop = "keep"\n/);
  const own = '[nbrpc.sets]\nblocked4 = "blocked4"\nblocked6 = "blocked6"\n';
  return `${before.replace('\non_stop = "keep"\n', `\non_stop = "${onStop}"\n`)}\n${own}`;
}

async function detail(): Promise<RunningDetail> {
  const { modules } = await routed.status();
  return modules[0]?.health?.detail as RunningDetail;
}

/** Of a service of the lab, which has two of each family. */
async function isBlocked(name: string): Promise<boolean> {
  const found = (await detail()).hosts.find((host) => host.name === name);
  const blocked = await routed.blocked(table);
  return found?.addresses.length === 4 && found.addresses.every(({ address }) => blocked.includes(address));
}

before(async () => {
  routed = await RoutedLab.up({
    services: ['news', 'slow', 'chat', 'mail'].map((name) => ({ name: `${name}.example` })),
    checkList: 'slow.example\nnews.example\n',
    config: configuration('keep'),
    set: ['nbrpc.check.timeout="30s"', 'nbrpc.control.services=["news.example"]'],
    prepare: async (lab) => {
      const { code, stderr } = await lab.exec('router', ['nft', sets]);
      assert.equal(code, 0, stderr);
      await lab.censor('slow.example', 'drop');
    },
  });
});
after(() => routed?.down());

test('while one check takes half a minute, lists are followed and other services are decided', async () => {
  const first = await eventually('news.example is checked', async () => {
    const { hosts, firstPass, byStanding } = await detail();
    return hosts.some(({ name, state }) => name === 'news.example' && state === 'ok') && { firstPass, byStanding };
  });
  assert.deepEqual(first.firstPass, { done: 4, of: 8 });
  assert.equal(first.byStanding.waiting, 1);
  writeFileSync(routed.checkList, 'slow.example\nnews.example\nchat.example=na\n');
  await eventually('chat.example is in the sets', () => isBlocked('chat.example'));
  writeFileSync(routed.checkList, 'slow.example\nnews.example\n');
  await eventually('chat.example is out of the sets', async () => (await routed.blocked(table)).length === 0);
  const { firstPass, hosts } = await detail();
  assert.deepEqual(
    [firstPass?.of, hosts.find(({ name }) => name === 'slow.example')?.state],
    [8, 'unknown'],
    'all of this before the slow check has ended',
  );
  await eventually('slow.example is in the sets', () => isBlocked('slow.example'), { seconds: 120 });
  assert.equal((await detail()).firstPass, null);
});

test('while no control service works, nothing is marked but what needs no check', async () => {
  await routed.lab.censor('news.example', 'rst');
  await eventually('own-side-broken', async () =>
    (await routed.status()).warnings.some(({ code }) => code === 'own-side-broken'),
  );
  writeFileSync(routed.checkList, 'slow.example\nnews.example\nchat.example=na\nmail.example\n');
  await eventually('chat.example is in the sets', () => isBlocked('chat.example'));
  const { hosts } = await detail();
  assert.deepEqual(
    ['news.example', 'mail.example'].map((name) => hosts.find((host) => host.name === name)?.state),
    ['ok', 'unknown'],
  );
});

test('on_stop of a reload is what the agent obeys when netsteward is killed', async () => {
  assert.equal((await routed.blocked(table)).length, 8);
  writeFileSync(join(routed.folder, 'netsteward.toml'), configuration('flush'));
  const reloads = () => routed.log.filter(({ event }) => event === 'reloaded').length;
  const before = reloads();
  routed.daemon.kill('SIGHUP');
  await eventually('the reload', () => Promise.resolve(reloads() > before));
  assert.equal((await routed.blocked(table)).length, 8);
  await routed.endDaemon('SIGKILL');
  await eventually('the sets are empty', async () => (await routed.blocked(table)).length === 0);
});
