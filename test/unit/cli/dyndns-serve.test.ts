/** `netsteward dyndns serve` as a process: the flags of tddu-server.py, and what its update command gets. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodePacket } from '../../../src/dyndns/packet.ts';
import { mainJs } from '../../checkout.ts';
import { keyA, keyB } from '../dyndns/fixtures.ts';

const a = keyA.verify.text;

interface Serving {
  readonly child: ChildProcess;
  readonly port: number;
  /** When standard error has this. */
  says(pattern: RegExp): Promise<void>;
  /** Everything that it has said; ends it. */
  end(): Promise<string>;
}

/** A folder of its own for the test. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-dyndns-serve-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function zoneIn(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function serving(t: TestContext, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Serving> {
  const child = spawn(process.execPath, [mainJs, 'dyndns', 'serve', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  const closed = once(child, 'close');
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await closed;
  });
  let said = '';
  let look = (): void => {};
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    look();
  });
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (pattern.test(said)) resolve();
      };
      closed.then(() => reject(new Error(`it ended without ${pattern}: ${said}`)), reject);
      look();
    });
  await says(/listening at=/);
  return {
    child,
    port: Number(/listening at=\S+:(\d+)"? /.exec(said)?.[1]),
    says,
    async end() {
      child.kill('SIGTERM');
      assert.deepEqual(await closed, [0, null], said);
      return said;
    },
  };
}

async function bound(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return socket;
}

const sent = (socket: Socket, bytes: Uint8Array, port: number): Promise<unknown> =>
  new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve));

const now = (): number => Date.now() / 1000;
const here = ['-b', '127.0.0.1:0'] as const;

test('-g prints a new pair of keys and serves nothing', () => {
  const run = (flag: string): string =>
    spawnSync(process.execPath, [mainJs, 'dyndns', 'serve', flag], { encoding: 'utf8' }).stdout;
  assert.match(run('-g'), /^secret key .*\nverify key .*\nkey id .*\n$/);
  assert.notEqual(run('--genkey'), run('-g'));
});

test('a command line that cannot be understood is exit code 64, before anything listens', (t) => {
  const zone = zoneIn(folderOf(t), 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /name a zone file/],
    [['-b', 'somewhere', zone], /--bind somewhere: must be PORT, HOST:PORT or \[IPv6\]:PORT/],
    [['-b', '127.0.0.1:65536', zone], /--bind 127\.0\.0\.1:65536: must be/],
    [['-b', '[::1]:1', '-v', '4', zone], /--bind \[::1\]:1: is not an IPv4 address/],
    [['-v', '5', zone], /Allowed choices are 4, 6/],
    [['--clock-window', 'soon', zone], /must be seconds, such as 600/],
    [['--verify', 'ns.example:53', zone], /must be a numeric address/],
    [['--records', '!', zone], /--records/],
    [['--what', zone], /unknown option/],
  ];
  for (const [words, why] of cases) {
    const { status, stderr } = spawnSync(process.execPath, [mainJs, 'dyndns', 'serve', ...words], { encoding: 'utf8' });
    assert.deepEqual([status, why.test(stderr)], [64, true], `${words.join(' ')}: ${stderr}`);
    assert.doesNotMatch(stderr, /listening/);
  }
});

test('-v 4 listens on all IPv4 addresses, -v 6 on IPv6, and a port alone on both', async (t) => {
  const folder = folderOf(t);
  const zone = zoneIn(folder, 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  for (const [words, place] of [
    [['-v', '4'], /listening at=0\.0\.0\.0:\d+ /],
    [['-v', '6'], /listening at="\[::\]:\d+" /],
    [[], /listening at="\[::\]:\d+" /],
  ] as const) {
    const server = await serving(t, ['-b', '0', ...words, zone]);
    assert.match(await server.end(), place);
  }
});

test('--systemd without a passed socket listens by itself', async (t) => {
  const zone = zoneIn(folderOf(t), 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  const server = await serving(t, ['--systemd', ...here, zone]);
  await sent(await bound(t), encodePacket(keyA, now()), server.port);
  await server.says(/name-moved/);
  await server.end();
  assert.match(readFileSync(zone, 'utf8'), /^\+a\.net:127\.0\.0\.1$/m);
});

test('--systemd with more than one socket says to pass one that takes both families', (t) => {
  const zone = zoneIn(folderOf(t), 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  // sd_listen_fds(3): the variables are for the process of that id.
  const words = ['-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"', 'sh', process.execPath, mainJs, 'dyndns', 'serve'];
  const { status, stderr } = spawnSync('sh', [...words, '--systemd', zone], { encoding: 'utf8' });
  assert.equal(status, 64, stderr);
  assert.match(stderr, /more than one socket: one ListenDatagram= on \[::\] takes both families/);
});

test('a packet without a change is remembered and writes nothing; with --update-timestamps it writes the header', async (t) => {
  const folder = folderOf(t);
  const before = `# dynamic: 0 ${a}\n+a.net:127.0.0.1:300\n`;
  const timestamp = now();
  for (const [flags, after] of [
    [[], before],
    [['--update-timestamps'], before.replace(' 0 ', ` ${timestamp.toFixed(2)} `)],
  ] as const) {
    const zone = zoneIn(folder, `data${flags.length}`, before);
    const server = await serving(t, [...here, ...flags, zone, '--', 'true']);
    await sent(await bound(t), encodePacket(keyA, timestamp), server.port);
    await server.says(/update-accepted/);
    const said = await server.end();
    assert.equal(readFileSync(zone, 'utf8'), after, said);
    assert.doesNotMatch(said, /name-moved/);
  }
});

test('no packet is ever answered, be it genuine, forged or of another length', async (t) => {
  const zone = zoneIn(folderOf(t), 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  const server = await serving(t, [...here, '--debug', zone]);
  const socket = await bound(t);
  const came: string[] = [];
  socket.on('message', (bytes) => came.push(bytes.toString()));
  const forged = Buffer.from(encodePacket(keyA, now())).fill(7, 36);
  for (const bytes of [Buffer.alloc(99), Buffer.alloc(100), forged]) await sent(socket, bytes, server.port);
  // Of one source and key only the newest packet that waits is kept.
  await server.says(/refusal=signature/);
  await sent(socket, encodePacket(keyA, now()), server.port);
  await server.says(/name-moved/);
  const said = await server.end();
  for (const refusal of ['length', 'key-unknown', 'signature']) assert.match(said, new RegExp(`refusal=${refusal}`));
  // On loopback whatever it sent is in the queue by now, before this.
  const arrived = once(socket, 'message');
  await sent(socket, Buffer.from('the first to come'), socket.address().port);
  await arrived;
  assert.deepEqual(came, ['the first to come']);
});

test('what is refused is told once at the usual level, and packet by packet with --debug alone', async (t) => {
  const zone = zoneIn(folderOf(t), 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
  const server = await serving(t, [...here, zone]);
  const socket = await bound(t);
  for (let count = 0; count < 5; count += 1) await sent(socket, Buffer.alloc(99), server.port);
  await sent(socket, encodePacket(keyA, now()), server.port);
  await server.says(/update-accepted/);
  const said = await server.end();
  assert.equal(said.match(/packets-refused/g)?.length, 1);
  assert.doesNotMatch(said, /packet-refused/);
});

test('the update command gets its words as they are and the facts of the change, and does not run at the start', async (t) => {
  const folder = folderOf(t);
  const zone = zoneIn(folder, 'data', `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n+b.net:192.0.2.1\n`);
  const out = join(folder, 'out');
  const script = `
    const facts = Object.entries(process.env).filter(([name]) => name.startsWith('NETSTEWARD_'));
    require('node:fs').appendFileSync(${JSON.stringify(out)}, JSON.stringify([process.argv.slice(1), Object.fromEntries(facts)]) + '\\n');`;
  const words = ['$HOME', 'a b', ';', '-v'];
  const server = await serving(t, [...here, zone, '--', process.execPath, '-e', script, '--', ...words]);
  assert.throws(() => readFileSync(out), /ENOENT/);
  await sent(await bound(t), encodePacket(keyA, now()), server.port);
  await server.says(/ published/);
  await server.end();
  const runs = readFileSync(out, 'utf8').trim().split('\n');
  assert.equal(runs.length, 1);
  assert.deepEqual(JSON.parse(runs[0] ?? ''), [
    words,
    {
      NETSTEWARD_ZONE: zone,
      NETSTEWARD_NAME: 'b.net',
      NETSTEWARD_NAMES: 'a.net b.net',
      NETSTEWARD_OLD_ADDRESS: '192.0.2.1',
      NETSTEWARD_NEW_ADDRESS: '127.0.0.1',
      NETSTEWARD_KEY_ID: keyA.verify.id,
      NETSTEWARD_CHANGES: ['a.net', 'b.net'].map((name) => `${name} 192.0.2.1 127.0.0.1 ${keyA.verify.id}`).join('\n'),
    },
  ]);
});

test('an update command that is missing ends nothing: it is told, and the next packet is taken', async (t) => {
  const folder = folderOf(t);
  const zone = zoneIn(folder, 'data', `# dynamic: 0 ${a} ${keyB.verify.text}\n+a.net:192.0.2.1\n`);
  const server = await serving(t, [...here, zone, '--', join(folder, 'no-such-program')]);
  const socket = await bound(t);
  await sent(socket, encodePacket(keyA, now()), server.port);
  await server.says(/not-published reason=.*no-such-program/);
  await sent(socket, encodePacket(keyB, now()), server.port);
  await server.says(new RegExp(`update-accepted keyId=${keyB.verify.id}`));
  await server.end();
  assert.match(readFileSync(zone, 'utf8'), /^\+a\.net:127\.0\.0\.1$/m);
});

test('several zone files follow in one process, the optional records where they are asked for', async (t) => {
  const folder = folderOf(t);
  const [one, two] = ['one', 'two'].map((name) =>
    zoneIn(folder, name, `# dynamic: 0 ${a}\n+${name}.net:192.0.2.1\n=${name}.org:192.0.2.1\n`),
  );
  assert.ok(one !== undefined && two !== undefined);
  const server = await serving(t, [...here, '--zone', two, '--records', '=', one]);
  await sent(await bound(t), encodePacket(keyA, now()), server.port);
  await server.says(/name-moved name=one\.org/);
  await server.says(/name-moved name=two\.org/);
  await server.end();
  for (const [name, file] of Object.entries({ one, two })) {
    assert.match(
      readFileSync(file, 'utf8'),
      new RegExp(`\\n\\+${name}\\.net:127\\.0\\.0\\.1\\n=${name}\\.org:127\\.0\\.0\\.1\\n$`),
    );
  }
});

test('a timestamp far from the clock is refused, and taken with --clock-window 0', async (t) => {
  const folder = folderOf(t);
  for (const [flags, word] of [
    [['--debug'], /refusal=clock-window/],
    [['--clock-window', '0'], /update-accepted/],
  ] as const) {
    const zone = zoneIn(folder, `data${flags.length}`, `# dynamic: 0 ${a}\n+a.net:192.0.2.1\n`);
    const server = await serving(t, [...here, ...flags, zone]);
    await sent(await bound(t), encodePacket(keyA, now() - 3600), server.port);
    await server.says(word);
    await server.end();
  }
});

test('who lacks a right is named where -u has made it another one', {
  skip: process.getuid?.() === 0 ? false : 'NOT TESTED: to be another user needs root',
}, (t) => {
  const zone = zoneIn(folderOf(t), 'data', '+a.net:192.0.2.1\n');
  const words = [...here, '-u', 'nobody', zone];
  const { status, stderr } = spawnSync(process.execPath, [mainJs, 'dyndns', 'serve', ...words], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /as nobody \(-u\): .*data cannot be read: EACCES/);
});
