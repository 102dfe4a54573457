/** Zone files in real resolvers: each format is loaded and answers; and a poisoned name is cured, end to end. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { hostNameProblem } from '../../src/nbrpc/host-name.ts';
import { parseZoneSpec, printZone, type ZoneFormat } from '../../src/nbrpc/zone.ts';
import { checkout } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { entry, policy, state } from '../unit/nbrpc/build-state.ts';
import { RoutedLab } from './routed-lab.ts';
import { unboundIn } from './unbound-config.ts';

const folder = mkdtempSync('/tmp/netsteward-zone-');
const started: ChildProcess[] = [];
after(async () => {
  for (const child of started) {
    const closed = new Promise((resolve) => child.once('close', resolve));
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await closed;
  }
  rmSync(folder, { recursive: true });
});

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function missing(t: TestContext, program: string, option = '-h'): boolean {
  if (spawnSync(program, [option], { env }).error === undefined) return false;
  t.skip(`${program} is not installed`);
  return true;
}

// Names of every shape that a check list may hold.
const names = [
  'www.example',
  'mail.example.',
  'MIXED.Case',
  '_srv.example',
  'xn--bcher-kva.example',
  'a=200',
  '9.9.9.9',
];
const known = state(...names.map((name) => entry(name, { state: 'ok' }, '192.0.2.1=ok 192.0.2.2=na 2001:db8::1=ok')));
const zoneText = (format: ZoneFormat): string =>
  printZone(known, [parseZoneSpec('@.')], policy('af-all'), { format, random: () => 0, serial: 1 });

/** A UDP port of loopback that is free just now. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  // unbound takes the same port over TCP.
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  return free ? port : freePort();
}

function resolverAt(port: number): Resolver {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return resolver;
}

async function answers(resolver: Resolver, name: string): Promise<string> {
  return eventually(`an answer for ${name}`, async () => {
    try {
      const both = await Promise.all([resolver.resolve4(name), resolver.resolve6(name)]);
      return both.flat().sort().join(' ');
    } catch (error) {
      const { code } = error as { code?: string };
      return code === 'ECONNREFUSED' || code === 'ETIMEOUT' ? undefined : (code ?? 'failed');
    }
  });
}

function unboundConfig(port: number, more: string): string {
  return `${unboundIn(folder)}  interface: 127.0.0.1
  port: ${port}
  do-not-query-localhost: no
${more}`;
}

/** Nothing that is not in the zone is answered: there is nobody to ask. */
const nobody = 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@1\n';

const expected = '192.0.2.1 192.0.2.2 2001:db8::1';
// The last two are taken, but c-ares asks for no such names.
const asked = names.slice(0, -2);

test('every test name is one that a check list can hold', () => {
  for (const name of names) assert.equal(hostNameProblem(name), undefined, name);
});

test('the real unbound takes a zone, and answers each name with its addresses', async (t) => {
  if (missing(t, 'unbound')) return;
  const port = await freePort();
  const config = join(folder, 'static.conf');
  writeFileSync(join(folder, 'zone.conf'), zoneText('unbound'));
  writeFileSync(
    config,
    unboundConfig(port, `  module-config: "iterator"\n  include: "${folder}/zone.conf"\n${nobody}`),
  );
  execFileSync('unbound-checkconf', [config], { env });
  started.push(spawn('unbound', ['-d', '-c', config], { env, stdio: 'ignore' }));
  const resolver = resolverAt(port);
  for (const name of asked) assert.equal(await answers(resolver, name), expected, name);
  assert.equal(await answers(resolver, 'below.www.example'), 'ENOTFOUND');
});

test('the real unbound takes a response policy zone, and answers each name with its addresses', async (t) => {
  if (missing(t, 'unbound')) return;
  const port = await freePort();
  const config = join(folder, 'rpz.conf');
  writeFileSync(join(folder, 'policy.zone'), zoneText('rpz'));
  const rpz = `rpz:\n  name: "netsteward.rpz"\n  zonefile: "${folder}/policy.zone"\n`;
  writeFileSync(config, unboundConfig(port, `  module-config: "respip iterator"\n${nobody}${rpz}`));
  execFileSync('unbound-checkconf', [config], { env });
  started.push(spawn('unbound', ['-d', '-c', config], { env, stdio: 'ignore' }));
  const resolver = resolverAt(port);
  for (const name of asked) assert.equal(await answers(resolver, name), expected, name);
});

test('the real dnsmasq takes its zone, and answers what it holds', async (t) => {
  if (missing(t, 'dnsmasq', '--help')) return;
  const port = await freePort();
  const file = join(folder, 'dnsmasq.conf');
  writeFileSync(file, zoneText('dnsmasq'));
  execFileSync('dnsmasq', ['--test', '-C', file], { env, stdio: 'ignore' });
  const where = ['-k', '-C', file, '-p', String(port), '--listen-address=127.0.0.1', '--bind-interfaces'];
  const alone = ['--no-resolv', '--no-hosts', '--pid-file=', '--user=root', '--log-facility=/dev/null'];
  started.push(spawn('dnsmasq', [...where, ...alone], { env, stdio: 'ignore' }));
  const resolver = resolverAt(port);
  for (const name of asked) {
    assert.equal(await answers(resolver, name), expected, name);
  }
});

test('the hosts file is one that getaddrinfo reads', () => {
  const file = join(folder, 'hosts');
  writeFileSync(file, zoneText('hosts'));
  const ask = (name: string): string =>
    execFileSync(
      'unshare',
      ['-m', 'bash', '-c', `mount --bind ${file} /etc/hosts && getent ahosts "$1"`, 'bash', name],
      { encoding: 'utf8' },
    );
  const found = new Set(
    ask('www.example')
      .split('\n')
      .map((line) => line.split(' ')[0]),
  );
  for (const address of expected.split(' ')) assert.ok(found.has(address), `${address} in ${[...found].join()}`);
});

test('a poisoned name is cured: the router’s resolver answers from the zone file, and the client’s fetch works', async (t) => {
  if (missing(t, 'unbound')) return;
  const router = join(folder, 'router');
  const zone = `${router}.zone`;
  const control = `${router}.ctl`;
  const resolverConf = `${router}.resolv`;
  writeFileSync(resolverConf, 'nameserver 192.168.77.1\noptions timeout:1 attempts:2\n');
  writeFileSync(zone, '');
  const routed = await RoutedLab.up({
    services: [{ name: 'video.example' }, { name: 'news.example' }],
    checkList: 'video.example\nnews.example\n',
    config: `${readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8')}
[nbrpc.state_log]
file = "${router}.log"
[[nbrpc.zone]]
format = "unbound"
file = "${zone}"
select = "example$"
flags = "@"
reload = ["unbound-control", "-c", "${router}.conf", "reload"]
`,
    prepare: async (lab) => {
      writeFileSync(
        `${router}.conf`,
        `${unboundIn(folder)}  interface: 192.168.77.1
  access-control: 192.168.77.0/24 allow
  module-config: "iterator"
  include: "${zone}"
forward-zone:
  name: "."
${lab.resolvers
  .filter((server) => !server.includes(':'))
  .map((server) => `  forward-addr: ${server}\n`)
  .join('')}remote-control:
  control-enable: yes
  control-interface: "${control}"
  control-use-cert: no
`,
      );
      const unbound = lab.spawn('router', ['unbound', '-d', '-c', `${router}.conf`], { stdio: 'ignore' });
      t.after(() => unbound.kill('SIGKILL'));
      await eventually('unbound listens', () => Promise.resolve(existsSync(control)));
    },
  });
  t.after(() => routed.down());

  /** A fetch from the LAN of a client whose resolver is the router. */
  const fetch = async (name: string): Promise<{ ok: boolean; said: string }> => {
    const script = `mount --bind ${resolverConf} /etc/resolv.conf && exec curl --silent --show-error --max-time 4 \
      --cacert "$1" --output /dev/null --write-out '%{http_code} %{remote_ip}' "https://$2/"`;
    const inside = ['unshare', '-m', 'bash', '-c', script, 'bash', routed.lab.caFile, name] as const;
    const { code, stdout, stderr } = await routed.lab.exec('lan', [...inside]);
    return { ok: code === 0 && stdout.startsWith('200 '), said: `${stdout} ${stderr}` };
  };
  await eventually('the zone file is there', () =>
    Promise.resolve(readFileSync(zone, 'utf8').includes('video.example')),
  );
  const written = readFileSync(zone, 'utf8');
  assert.match(
    written,
    /^local-zone: video\.example\. static\nlocal-data: 'video\.example A 62\.[\s\S]*local-zone: news\.example\. static\n/,
  );

  await routed.lab.censor('video.example', 'dns');
  const direct = await routed.fetchUntil('video.example', {}, 'was poisoned', ({ ok }) => !ok);
  assert.equal(direct.ok, false, 'the client that asks the poisoned resolver fails');
  await eventually('a junk-answer warning', async () =>
    (await routed.status()).warnings.find(({ code }) => code === 'junk-answer'),
  );
  await wait(3000);
  const cured = await fetch('video.example');
  assert.ok(cured.ok, cured.said);
  assert.equal(readFileSync(zone, 'utf8'), written, 'known addresses stay, so there is nothing new to write');
  assert.deepEqual(routed.log.filter(({ event }) => event === 'zone-written').length, 1);

  // Addresses that DNS brings anew reach the resolver by a reload of their own.
  await routed.lab.censor('video.example', 'none');
  await routed.lab.dns('video.example', { kind: 'shrink', count: 1 });
  await eventually('a smaller zone', () => Promise.resolve(readFileSync(zone, 'utf8').length < written.length));
  await eventually('an answer that follows', async () => {
    const { ok, said } = await fetch('video.example');
    return ok && said.length > 0;
  });
  assert.deepEqual((await routed.status()).warnings, []);
  assert.match(readFileSync(`${router}.log`, 'utf8'), /video\.example: unknown -> ok\t/);

  // The uplink is cut: nothing is marked, whatever the checks would say, and the reason is told.
  await routed.lab.exec('isp', ['ip', 'link', 'set', 'router', 'down']);
  const cut = await eventually('own-side-broken', async () =>
    (await routed.status()).warnings.find(({ code }) => code === 'own-side-broken'),
  );
  assert.match(cut.text, /does not work \((link|resolver|control)\)/);
  await wait(8000);
  assert.deepEqual(await routed.blocked(), [], 'longer than check interval and grace, and nothing went around');
  await routed.lab.exec('isp', ['ip', 'link', 'set', 'router', 'up']);
});
