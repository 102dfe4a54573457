/** The main job, end to end: what is blocked goes through the tunnel, nothing else does, and back again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { CurlReason } from '../../src/lab/curl.ts';
import { serviceAddress } from '../../src/lab/plan.ts';
import type { CensorKind } from '../../src/lab/vocabulary.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

interface Case {
  readonly kind: CensorKind;
  readonly scheme: 'http' | 'https';
  /** What the client sees of it; some depend on which family curl tries last. */
  readonly reasons: readonly CurlReason[];
}

const cases: readonly Case[] = [
  { kind: 'drop', scheme: 'https', reasons: ['timeout'] },
  { kind: 'rst', scheme: 'https', reasons: ['refused'] },
  { kind: 'icmp', scheme: 'https', reasons: ['unreachable'] },
  { kind: 'sni', scheme: 'https', reasons: ['reset'] },
  { kind: 'hijack', scheme: 'https', reasons: ['certificate'] },
  { kind: 'stall', scheme: 'https', reasons: ['timeout'] },
  { kind: 'blockpage', scheme: 'http', reasons: ['status'] },
  { kind: 'redirect', scheme: 'http', reasons: ['status'] },
];

const nameOf = ({ kind }: Case): string => `${kind}.example`;
const addressesOf = (service: number): string[] =>
  [0, 1].flatMap((slot) => [serviceAddress(4, service, slot), serviceAddress(6, service, slot)]);

let routed: RoutedLab;

before(async () => {
  routed = await RoutedLab.up({
    services: [...cases.map((each, index) => ({ name: nameOf(each), ...families(index) })), bystander(cases.length)],
    checkList: [...cases.map((each) => `${nameOf(each)}:${each.scheme}=200`), 'news.example'].join('\n'),
    set: ['nbrpc.limits.iter_hosts=100', 'nbrpc.limits.iter_addrs=200'],
  });
  // Counts what the checks send into the tunnel: they must never take it. Their ports are the example configuration's.
  await routed.router(
    'nft',
    'add table inet spy; add chain inet spy out { type filter hook postrouting priority -300; };' +
      'add rule inet spy out oifname "tunnel" tcp sport 61000-64999 counter comment "checks through the tunnel";' +
      'add rule inet spy out oifname "uplink" tcp sport 61000-64999 counter comment "checks directly"',
  );
});
after(() => routed?.down());

function families(service: number): { ipv4: string[]; ipv6: string[] } {
  const all = addressesOf(service);
  return {
    ipv4: all.filter((address) => !address.includes(':')),
    ipv6: all.filter((address) => address.includes(':')),
  };
}

function bystander(service: number) {
  return { name: 'news.example', ...families(service) };
}

async function checkPackets(path: string): Promise<number> {
  const listing = await routed.router('nft', 'list', 'chain', 'inet', 'spy', 'out');
  const packets = new RegExp(`counter packets (\\d+) bytes \\d+ comment "checks ${path}"`).exec(listing)?.[1];
  assert.ok(packets !== undefined, listing);
  return Number(packets);
}

test('every kind of block is routed around, and the service goes direct again after it', {
  concurrency: true,
}, async (t) => {
  for (const each of cases) {
    await routed.fetchUntil(nameOf(each), each, 'worked directly at first', ({ ok, via }) => ok && via === 'direct');
  }
  const untouched = await routed.lab.curl('news.example');
  assert.ok(untouched.ok && untouched.via === 'direct', JSON.stringify(untouched));

  await Promise.all(
    cases.map((each, index) =>
      t.test(`${each.kind} (${each.scheme})`, async () => {
        const { kind, scheme, reasons } = each;
        const name = nameOf(each);
        await routed.lab.censor(name, kind);
        const failed = await routed.fetchUntil(name, { scheme }, 'failed', ({ ok }) => !ok);
        assert.ok(failed.reason !== undefined && reasons.includes(failed.reason), JSON.stringify(failed));

        const around = await routed.fetchUntil(name, { scheme }, 'worked around the block', ({ ok }) => ok);
        assert.equal(around.via, 'tunnel');
        const blocked = await routed.blocked();
        for (const address of addressesOf(index)) assert.ok(blocked.includes(address), `${address} is not in the sets`);
        const tunnel = (await routed.lab.counters()).tunnel[around.address ?? ''];
        assert.ok((tunnel?.received.bytes ?? 0) > 90_000, `exit did not see the answer: ${JSON.stringify(tunnel)}`);

        const status = await routed.status();
        assert.match(JSON.stringify(status), new RegExp(`"name":"${name}"`));

        await routed.lab.censor(name, 'none');
        await routed.fetchUntil(name, { scheme }, 'went direct again', ({ ok, via }) => ok && via === 'direct');
      }),
    ),
  );

  const still = await routed.lab.curl('news.example');
  assert.ok(still.ok && still.via === 'direct', JSON.stringify(still));
  const { tunnel } = await routed.lab.counters();
  for (const address of addressesOf(cases.length))
    assert.equal(tunnel[address], undefined, `${address} was in the tunnel`);
  await eventually('the sets are empty', async () => (await routed.blocked()).length === 0);
  assert.equal(await checkPackets('through the tunnel'), 0);
  assert.ok((await checkPackets('directly')) > 100);
});

test('a forged DNS answer flips nothing, is reported, and the known addresses stay', async () => {
  await routed.lab.censor('news.example', 'dns');
  const lied = await routed.fetchUntil('news.example', {}, 'failed', ({ ok }) => !ok);
  assert.equal(lied.ok, false);
  const warning = await eventually('a junk-answer warning', async () =>
    (await routed.status()).warnings.find(({ code }) => code === 'junk-answer'),
  );
  assert.match(warning.text, /news\.example.*10\.66\.66\.66/);
  await wait(3000);
  assert.deepEqual(await routed.blocked(), []);
  await routed.lab.censor('news.example', 'none');
  await eventually('the warning is gone', async () =>
    (await routed.status()).warnings.every(({ code }) => code !== 'junk-answer'),
  );
  await routed.fetchUntil('news.example', {}, 'worked again', ({ ok, via }) => ok && via === 'direct');
});

test('a resolver that answers rubbish is reported and changes no route', async () => {
  for (const kind of ['garbage', 'servfail', 'silence', 'nxdomain'] as const) {
    await routed.lab.dns('news.example', { kind });
    await eventually(`a warning about ${kind}`, async () =>
      (await routed.status()).warnings.find(
        ({ code, subject }) => code === 'names-unresolved' && subject === 'news.example',
      ),
    );
    await routed.lab.dns('news.example', { kind: 'normal' });
    await eventually(`the warning about ${kind} is gone`, async () =>
      (await routed.status()).warnings.every(({ code }) => code !== 'names-unresolved'),
    );
  }
  assert.deepEqual(await routed.blocked(), []);
});

test('a check list that cannot be read keeps its last good version in force', async () => {
  const { writeFileSync, readFileSync } = await import('node:fs');
  const good = readFileSync(routed.checkList, 'utf8');
  writeFileSync(routed.checkList, `${good}\nshop.example>nonsense\n`);
  const warning = await eventually('a check-list-rejected warning', async () =>
    (await routed.status()).warnings.find(({ code }) => code === 'check-list-rejected'),
  );
  assert.match(
    warning.text,
    new RegExp(`services\\.list was not taken: ${good.split('\n').length + 1}:\\d+: .*nonsense`),
  );
  await routed.lab.censor('drop.example', 'drop');
  await routed.fetchUntil('drop.example', {}, 'worked around the block', ({ ok, via }) => ok && via === 'tunnel');
  writeFileSync(routed.checkList, good);
  await eventually('the warning is gone', async () =>
    (await routed.status()).warnings.every(({ code }) => code !== 'check-list-rejected'),
  );
});

test('others flush and reload the ruleset in a loop, and no fetch through the tunnel fails', async () => {
  // drop.example is still blocked. The administrator's reload is two steps here: flush, then load. The ruleset does not
  // masquerade (nobody's connections survive a gap in that); the lab knows the way back without it.
  const ruleset = 'table inet admin { chain forward { type filter hook forward priority filter; policy accept; }; }';
  await routed.router('nft', 'flush', 'ruleset');
  await routed.router('nft', ruleset);
  const fetches: { ok: boolean; via: string | undefined }[] = [];
  let reloading = true;
  const fetching = (async () => {
    while (reloading) fetches.push(await routed.lab.curl('drop.example', { timeout: 12_000 }));
  })();
  for (let reload = 0; reload < 40; reload++) {
    await routed.router('nft', 'flush', 'ruleset');
    await routed.router('nft', ruleset);
  }
  reloading = false;
  await fetching;
  assert.ok(fetches.length >= 10, `${fetches.length} fetches`);
  const failed = fetches.filter(({ ok, via }) => !ok || via !== 'tunnel');
  assert.deepEqual(failed, []);
  await routed.router('nft', '-f', routed.lab.routerRuleset);
});

test('killed with SIGKILL, netsteward comes back to the same routes at once', async () => {
  const before = await routed.blocked();
  assert.equal(before.length, 4);
  await routed.endDaemon('SIGKILL');
  await routed.startDaemon();
  assert.deepEqual(await routed.blocked(), before);
  const again = await routed.fetchUntil('drop.example', {}, 'worked', ({ ok }) => ok);
  assert.equal(again.via, 'tunnel');
});

test('nft-agent killed with SIGKILL is started again and holds the same sets', async () => {
  const before = await routed.blocked();
  const agents = (): Promise<string> =>
    routed.lab.exec('router', ['pgrep', '-f', 'nft-agent']).then(({ stdout }) => stdout);
  const first = await agents();
  assert.match(first, /^\d+\n$/);
  await routed.router('kill', '-KILL', first.trim());
  await eventually('another agent is there', async () => ![first, ''].includes(await agents()));
  await eventually('the sets are back', () =>
    routed.blocked().then(
      (now) => now.join() === before.join(),
      () => false,
    ),
  );
});
