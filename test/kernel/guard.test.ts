/** The kill switch, with everything killed: what has to go around never goes direct, and what is judged flows. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serviceAddress } from '../../src/lab/plan.ts';
import { checkout, mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { RoutedLab } from './routed-lab.ts';

const keepingClient = fileURLToPath(new URL('./keeping-client.js', import.meta.url));
const guarded = '\non_stop = "keep"\nwhile_down = "drop"\n';
const example = readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8');
const config = `${example.replace('\non_stop = "keep"\n', guarded)}\n[nbrpc.guard]\ninterfaces = ["lan"]\n`;
assert.ok(config.includes(guarded));

const addresses = (service: number): string[] => [4, 6].map((family) => serviceAddress(family as 4 | 6, service, 0));
const families = (service: number): { ipv4: string[]; ipv6: string[] } => {
  const [ipv4 = '', ipv6 = ''] = addresses(service);
  return { ipv4: [ipv4], ipv6: [ipv6] };
};

let routed: RoutedLab;

/** In the router, with the configuration that netsteward has. */
async function guard(verb: 'load' | 'unload' | 'print'): Promise<string> {
  const file = verb === 'unload' ? [] : ['--config', join(routed.folder, 'netsteward.toml')];
  return await routed.router(process.execPath, mainJs, 'guard', verb, ...file);
}

/** Without a name server in between: that is behind the router too. */
async function fetched(service: number, family: 4 | 6 = 4): Promise<string> {
  const name = service === 0 ? 'tunnelled.example' : 'news.example';
  const address = serviceAddress(family, service, 0);
  const { ok, via } = await routed.lab.curl(name, { address, timeout: 800 });
  return ok ? `${via}` : 'nothing';
}

/** Packets of the LAN, not of netsteward's checks, that came to the provider for this service. */
async function direct(): Promise<number> {
  const { stdout } = await routed.lab.exec('isp', ['nft', '-j', 'list', 'chain', 'inet', 'spy', 'direct']);
  const packets = [...stdout.matchAll(/"packets": ?(\d+)/g)].map(([, count]) => Number(count));
  assert.equal(packets.length, 2, stdout);
  return packets.reduce((sum, count) => sum + count);
}

async function flows(): Promise<void> {
  await eventually('what is blocked goes around', async () => (await fetched(0)) === 'tunnel');
  await eventually('what is not goes direct', async () => (await fetched(1)) === 'direct');
}

async function stands(): Promise<void> {
  assert.equal(await fetched(0), 'nothing');
  assert.equal(await fetched(1), 'nothing');
}

before(async () => {
  routed = await RoutedLab.up({
    services: [
      { name: 'tunnelled.example', ...families(0) },
      { name: 'news.example', ...families(1) },
    ],
    checkList: 'tunnelled.example\nnews.example\n',
    config,
    set: ['nbrpc.timers.host_ok_state="1h"'],
    prepare: async (lab, folder) => {
      const spy = addresses(0).map(
        (address) =>
          `add rule inet spy direct iifname "router" ${address.includes(':') ? 'ip6' : 'ip'} daddr ${address} tcp sport != 61000-64999 counter;`,
      );
      const rules = `add table inet spy; add chain inet spy direct { type filter hook prerouting priority -300; }; ${spy.join('')}`;
      assert.equal((await lab.exec('isp', ['nft', rules])).code, 0);
      // As at boot: the guard is there first.
      const run = ['guard', 'load', '--config', join(folder, 'netsteward.toml')] as const;
      const loaded = await lab.exec('router', [process.execPath, mainJs, ...run]);
      assert.equal(loaded.code, 0, loaded.stderr);
      const [address = ''] = addresses(1);
      const early = await lab.curl('news.example', { address, timeout: 800 });
      assert.equal(early.ok, false, 'the LAN reaches the world before netsteward is there');
      const own = await lab.curl('news.example', { host: 'router', address });
      assert.ok(own.ok, 'the router itself does not');
    },
  });
});
after(() => routed?.down());

test('with its own table in place, what is blocked goes around and all else flows', async () => {
  await routed.lab.censor('tunnelled.example', 'drop');
  await eventually('it is in the sets', async () => (await routed.blocked()).length === 2);
  // From here on the direct way is open, and only netsteward keeps the service off it.
  await routed.lab.censor('tunnelled.example', 'none');
  await flows();
});

test('the guard leaves no bit of its own in the mark of what passes', async () => {
  const rules = 'add table inet look; add chain inet look late { type filter hook forward priority 0; };';
  await routed.router('nft', `${rules} add rule inet look late meta mark & 0x40000000 != 0 counter`);
  await flows();
  assert.match(await routed.router('nft', 'list', 'table', 'inet', 'look'), /counter packets 0 bytes 0/);
});

test('netsteward and its agent killed: the LAN is cut off, and nothing goes direct', async () => {
  const before = await direct();
  await routed.endDaemon('SIGKILL');
  await eventually(
    'the table is gone with its owner',
    async () => !(await routed.router('nft', 'list', 'tables')).includes('nbrpc'),
  );
  await stands();
  assert.equal(await direct(), before);
  await routed.startDaemon();
  await flows();
  assert.equal(await direct(), before);
});

test('nobody but the own table lifts the drop: not a LAN host, not over IPv6, not a connection that is open already', async () => {
  const [address = ''] = addresses(1);
  const open = routed.lab.spawn('lan', [process.execPath, keepingClient, 'news.example', address], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let answers = 0;
    open.stdout?.on('data', (chunk: Buffer) => {
      answers += chunk.toString().split('"via":').length - 1;
    });
    await eventually('the connection is in use', async () => answers >= 2);
    assert.deepEqual([await fetched(0, 6), await fetched(1, 6)], ['tunnel', 'direct']);
    const before = await direct();
    await routed.endDaemon('SIGKILL');
    await stands();
    const known = answers;
    // A mark is no part of a packet: what a host sets for itself, the router does not see.
    const marks =
      'add table inet marks; add chain inet marks out { type route hook output priority 0; }; ' +
      'add rule inet marks out meta mark set 0xffffffff';
    assert.equal((await routed.lab.exec('lan', ['nft', marks])).code, 0);
    await stands();
    for (const service of [0, 1]) assert.equal(await fetched(service, 6), 'nothing');
    assert.equal(answers, known, 'a connection that was open is answered');
    assert.equal(await direct(), before);
    assert.equal((await routed.lab.exec('lan', ['nft', 'delete', 'table', 'inet', 'marks'])).code, 0);
    await routed.startDaemon();
    await flows();
    await eventually('the open connection goes on', async () => answers > known);
  } finally {
    open.kill('SIGKILL');
  }
});

test('the agent alone killed, again and again: nothing goes direct, and all flows again', async () => {
  const before = await direct();
  for (let round = 0; round < 3; round += 1) {
    const { stdout } = await routed.lab.exec('router', ['pgrep', '-f', 'nft-agent --supervised']);
    assert.match(stdout, /^\d+\n$/);
    const fetches = Promise.all([fetched(0), fetched(0), fetched(0)]);
    await routed.router('kill', '-KILL', stdout.trim());
    for (const way of await fetches) assert.notEqual(way, 'direct');
    await flows();
  }
  assert.equal(await direct(), before);
});

test('others flush the ruleset: the guard is back at once, and holds when netsteward is killed after it', async () => {
  const before = await direct();
  await routed.router('nft', 'flush', 'ruleset');
  await eventually('the guard is back', async () =>
    (await routed.router('nft', 'list', 'tables')).includes('netsteward-guard'),
  );
  assert.match(await guard('unload'), /one that runs with while_down = "drop" loads it again/);
  await eventually('it is back after an unload too', async () =>
    (await routed.router('nft', 'list', 'tables')).includes('netsteward-guard'),
  );
  await flows();
  await routed.endDaemon('SIGKILL');
  await stands();
  assert.equal(await direct(), before);
});

test('a ruleset of the administrator that includes the printed guard keeps it over a reload', async () => {
  const before = await direct();
  const file = join(routed.folder, 'ruleset.nft');
  writeFileSync(file, `flush ruleset\n${await guard('print')}`);
  await routed.router('nft', '-f', file);
  await stands();
  assert.equal(await direct(), before);
});

test('unload lifts it by hand', async () => {
  await guard('unload');
  assert.equal(await fetched(1), 'direct');
  await guard('load');
  assert.equal(await fetched(1), 'nothing');
});

test('a reload to while_down = "direct" takes the guard away, and one to "drop" brings it back', async () => {
  await routed.startDaemon();
  const file = join(routed.folder, 'netsteward.toml');
  const reload = (): Promise<string> => routed.router(process.execPath, mainJs, 'reload', '--socket', routed.socket);
  writeFileSync(file, config.replace('while_down = "drop"', 'while_down = "direct"'));
  await reload();
  assert.doesNotMatch(await routed.router('nft', 'list', 'tables'), /netsteward-guard/);
  await flows();
  writeFileSync(file, config);
  await reload();
  assert.match(await routed.router('nft', 'list', 'tables'), /netsteward-guard/);
  await flows();
});

test('with while_down = "direct", all goes direct when netsteward is killed', async () => {
  writeFileSync(join(routed.folder, 'netsteward.toml'), config.replace('while_down = "drop"', 'while_down = "direct"'));
  await routed.router(process.execPath, mainJs, 'reload', '--socket', routed.socket);
  await routed.endDaemon('SIGKILL');
  await eventually('what went around goes direct', async () => (await fetched(0)) === 'direct');
});
