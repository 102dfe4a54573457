/** The server's own units under real systemd: started by a packet, ended by idleness, and no packet lost in between. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkout } from '../checkout.ts';
import { bootContainer, type Container, skip as noContainer } from './container.ts';
import { eventually } from './eventually.ts';

const tinydns = spawnSync('sh', ['-c', 'PATH=$PATH:/usr/sbin; command -v tinydns-data && command -v tinydns']).status;
const skip =
  noContainer !== false || tinydns === 0 ? noContainer : 'NOT TESTED: tinydns is not installed (apt: tinydns)';

/** The contract's first key. */
const seed = '1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=';
const verifyKey = 'jLxAZY-vnJfubHr8srYy3mIN2_mCi_OExUwHOluOlLY=';
const name = 'home.example.org';
const root = '/etc/tinydns/root';
const zone = `${root}/data`;
const zeros = String.raw`\000`.repeat(15);
const zoneText = [
  '.example.org:127.0.0.1:a',
  `# dynamic: 0 ${verifyKey}`,
  `+${name}:127.0.0.5:300`,
  String.raw`:${name}:28:${zeros}\011:300`,
  '',
  `=fixed.example.org:127.0.0.5:300`,
].join('\n');
const service = 'netsteward-dyndns.service';

/** Packets of one key from many addresses, one after another: `node sender.mjs COUNT FIRST PAUSE SPREAD`, milliseconds. */
const sender = `
import { createSocket } from 'node:dgram';
import { setTimeout as wait } from 'node:timers/promises';
import { readSeed } from '/opt/netsteward/dist/src/dyndns/keys.js';
import { encodePacket } from '/opt/netsteward/dist/src/dyndns/packet.js';
const [count, first, pause, spread] = process.argv.slice(2).map(Number);
const key = readSeed('${seed}').value;
for (let index = 0; index < count; index += 1) {
  const socket = createSocket('udp4');
  await new Promise((bound) => socket.bind(0, '127.0.1.' + (first + index), bound));
  await new Promise((sent) => socket.send(encodePacket(key, Date.now() / 1000), 5533, '127.0.0.1', sent));
  socket.close();
  await wait(pause + ((index * 37) % 100) / 100 * spread);
}
`;

const dropIn = (seconds: number): string =>
  `[Service]\nExecStart=\nExecStart=/usr/bin/netsteward dyndns serve --systemd --idle-exit ${seconds} $OPTIONS \${ZONE} -- $UPDATE\n`;

function unit(file: string): string {
  return readFileSync(join(checkout, 'packaging', file), 'utf8');
}

async function boot(): Promise<Container> {
  const box = await bootContainer({
    files: {
      '/usr/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
      '/etc/systemd/system/netsteward-dyndns.socket': unit('netsteward-dyndns.socket'),
      [`/etc/systemd/system/${service}`]: unit(service),
      '/etc/sysusers.d/netsteward-dyndns.conf': unit('netsteward-dyndns.sysusers.conf'),
      '/etc/netsteward/dyndns.env': 'OPTIONS=--verify 127.0.0.1\n',
      '/etc/systemd/system/name-server.service': `[Service]\nEnvironment=ROOT=${root} IP=127.0.0.1 UID=65534 GID=65534\nExecStart=tinydns\n`,
      [zone]: zoneText,
      '/root/key': seed,
      '/root/sender.mjs': sender,
    },
  });
  await box.run(['systemd-sysusers']);
  await box.run([
    'sh',
    '-c',
    `cd ${root} && tinydns-data && chmod 755 /etc/tinydns && chown -R netsteward-dyndns: ${root}`,
  ]);
  await box.run(['systemctl', 'start', 'name-server.service', 'netsteward-dyndns.socket']);
  return box;
}

async function send(
  box: Container,
  source: string,
  to = source.includes(':') ? '[::1]:5533' : '127.0.0.1',
): Promise<void> {
  await box.run([
    'netsteward',
    'dyndns',
    'send',
    '-b',
    source.includes(':') ? `[${source}]:0` : source,
    to,
    '/root/key',
  ]);
}

async function state(box: Container): Promise<string> {
  return (await box.run(['systemctl', 'show', '-P', 'ActiveState', service])).trim();
}

async function said(box: Container): Promise<string[]> {
  return (await box.journal('-u', service)).map(({ MESSAGE }) => String(MESSAGE));
}

/** What the real tinydns answers. */
async function answer(box: Container, type = 'resolve4'): Promise<string> {
  const script = `const r = new (require('node:dns').Resolver)({ timeout: 500, tries: 2 }); r.setServers(['127.0.0.1']);
r.${type}('${name}', (error, found) => console.log(error ? error.code : found.join()));`;
  return (await box.run(['/usr/local/bin/node', '-e', script])).trim();
}

async function answers(box: Container, address: string, type?: string): Promise<void> {
  const details: string[] = [];
  try {
    await eventually(`${name} is at ${address}`, async () => (await answer(box, type)) === address);
  } catch (error) {
    details.push(...(await said(box)));
    throw new Error(`${error}\n${details.join('\n')}`);
  }
}

describe('netsteward-dyndns.socket and .service of packaging/', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await boot();
  });
  after(() => box?.stop());

  test('the first packet starts the service and is itself taken, and tinydns answers with its address', async () => {
    assert.equal(await state(box), 'inactive');
    await send(box, '127.0.0.66');
    await answers(box, '127.0.0.66');
    assert.equal(await state(box), 'active');
    await eventually('it is published', async () => (await said(box)).some((line) => line.includes('published')));
    const text = await box.read(zone);
    assert.equal(
      text.replace(/dynamic: \d+\.\d\d /, 'dynamic: 0 '),
      zoneText.replace(`+${name}:127.0.0.5`, `+${name}:127.0.0.66`),
    );
    assert.equal((await box.run(['stat', '-c', '%U %a', zone])).trim(), 'netsteward-dyndns 644');
  });

  test('an IPv6 packet to the same socket moves the AAAA record', async () => {
    await send(box, '::1');
    await answers(box, '::1', 'resolve6');
    assert.equal(await answer(box), '127.0.0.66');
  });

  test('systemd knows its state from itself, and it has no right beyond its own files', async () => {
    const status = await box.run(['systemctl', 'show', '-P', 'StatusText', service]);
    assert.match(status, /listening on \[::\]:5533, 1 key/);
    const pid = (await box.run(['systemctl', 'show', '-P', 'MainPID', service])).trim();
    const facts = await box.read(`/proc/${pid}/status`);
    assert.match(facts, /^CapEff:\t0+$/m);
    assert.match(facts, /^NoNewPrivs:\t1$/m);
    assert.doesNotMatch(facts, /^Uid:\t0/m);
    assert.equal((await box.run(['ls', '/var/lib/netsteward-dyndns'])).split('\n')[0], 'dyndns.sqlite');
  });

  test('it ends when it is idle, and the next packet starts it again', async () => {
    await box.write(`/etc/systemd/system/${service}.d/idle.conf`, dropIn(1));
    await box.run(['systemctl', 'daemon-reload']);
    await box.run(['systemctl', 'restart', service]);
    await eventually('it ends', async () => (await state(box)) === 'inactive');
    assert.equal((await box.run(['systemctl', 'show', '-P', 'Result', service])).trim(), 'success');
    await send(box, '127.0.0.67');
    await answers(box, '127.0.0.67');
  });

  test('no packet is lost while it ends and starts again', async () => {
    await box.write(`/etc/systemd/system/${service}.d/idle.conf`, dropIn(0.1));
    await box.run(['systemctl', 'daemon-reload']);
    await box.run(['systemctl', 'restart', service]);
    const starts = async (): Promise<number> => (await said(box)).filter((line) => line.includes('listening')).length;
    const before = await starts();
    // Pauses about as long as it takes to end: packets meet it at every step of that.
    await box.run(['/usr/local/bin/node', '/root/sender.mjs', '40', '1', '100', '250'], { timeout: 60_000 });
    const taken = (lines: string[]): number =>
      new Set(lines.flatMap((line) => /update-accepted.*?(127\.0\.1\.\d+)/.exec(line)?.[1] ?? [])).size;
    await eventually('all are taken', async () => taken(await said(box)) === 40, {
      details: () => 'not all packets were taken',
    });
    await answers(box, '127.0.1.40');
    assert.ok((await starts()) - before >= 3, `started ${(await starts()) - before} times`);
  });

  test('no packet is lost while it is restarted by hand', async () => {
    for (let round = 1; round <= 6; round += 1) {
      const sending = box.run(['/usr/local/bin/node', '/root/sender.mjs', '30', `${round * 30}`, '0', '20'], {
        timeout: 60_000,
      });
      await box.run(['systemctl', 'restart', service]);
      await sending;
      // Older ones may come after a newer one, and then count no more.
      await answers(box, `127.0.1.${round * 30 + 29}`);
    }
  });

  test('a zone that cannot be read costs no packet: it waits until the service can start', async () => {
    await eventually('it ends', async () => (await state(box)) === 'inactive');
    await box.run(['mv', zone, `${zone}.away`]);
    await send(box, '127.0.0.70');
    await eventually('it fails', async () => (await said(box)).some((line) => line.includes('ENOENT')));
    await box.run(['mv', `${zone}.away`, zone]);
    await answers(box, '127.0.0.70');
    assert.equal((await box.run(['systemctl', 'is-active', 'netsteward-dyndns.socket'])).trim(), 'active');
  });
});

describe('a server that systemd did not give a socket', { skip }, () => {
  test('binds a port below 1024 as root, and then is nobody else than --uid says', async () => {
    const box = await boot();
    try {
      const words = `dyndns serve -b 127.0.0.1:533 -u netsteward-dyndns ${zone} -- env -C ${root} tinydns-data`;
      const server = box.spawn(['netsteward', ...words.split(' ')]);
      await eventually('it listens', () => server.stderr().includes('listening'), { details: server.stderr });
      await send(box, '127.0.0.71', '127.0.0.1:533');
      await answers(box, '127.0.0.71');
      const pid = (await box.run(['pgrep', '-f', 'main.js dyndns serve'])).trim();
      const facts = await box.read(`/proc/${pid}/status`);
      const [uid, gid] = (await box.run(['sh', '-c', 'id -u netsteward-dyndns; id -g netsteward-dyndns']))
        .trim()
        .split('\n');
      assert.match(facts, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
      assert.match(facts, new RegExp(`^Gid:\t${gid}\t${gid}\t${gid}\t${gid}$`, 'm'));
      assert.match(facts, new RegExp(`^Groups:\t${gid} ?$`, 'm'));
      assert.match(facts, /^CapEff:\t0+$/m);
      assert.match(facts, /^CapPrm:\t0+$/m);
      server.kill('SIGTERM');
      assert.equal((await server.finished).code, 0, server.stderr());
    } finally {
      await box.stop();
    }
  });
});
