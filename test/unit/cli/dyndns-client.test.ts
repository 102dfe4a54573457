/** `netsteward dyndns keygen` and `send` as processes: keys, warnings, exit codes, and packets on loopback. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newKey } from '../../../src/cli/dyndns-keygen.ts';
import { keyText, readSeed } from '../../../src/dyndns/keys.ts';
import { decodePacket } from '../../../src/dyndns/packet.ts';
import { fitsStrict } from '../../../src/dyndns/signature.ts';
import { keyA, keyB } from '../dyndns/fixtures.ts';

const entry = fileURLToPath(new URL('../../kernel/dyndns-client-entry.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'netsteward-dyndns-client-'));
after(() => rmSync(folder, { recursive: true }));

const seedA = keyText(keyA.seed);
const keyFile = join(folder, 'key');
writeFileSync(keyFile, `${seedA}\n`, { mode: 0o600 });

function dyndns(args: readonly string[], input = '') {
  const run = spawnSync(process.execPath, [entry, 'dyndns', ...args], { cwd: folder, encoding: 'utf8', input });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** A server that keeps what it gets. */
async function listening() {
  const socket = createSocket('udp4');
  const got: Buffer[] = [];
  socket.on('message', (bytes) => got.push(bytes));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, got, place: `127.0.0.1:${socket.address().port}` };
}

/** What it has got when there are so many; ends it. */
async function arrived({ socket, got }: Awaited<ReturnType<typeof listening>>, count: number): Promise<Buffer[]> {
  while (got.length < count) await once(socket, 'message');
  socket.close();
  return got;
}

/** Like `dyndns`, but this process can receive meanwhile. */
async function sending(args: readonly string[], input?: string) {
  const child = spawn(process.execPath, [entry, 'dyndns', 'send', ...args], { cwd: folder });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number];
  return { status, stderr };
}

test('keygen prints a pair of keys that belong together, and the key id', () => {
  const { status, stdout, stderr } = dyndns(['keygen']);
  assert.deepEqual([status, stderr], [0, '']);
  const [, seed = '', verify, id] =
    /^secret key .*?: +(\S+)\nverify key .*?: +(\S+)\nkey id .*?: +(\S+)\n$/.exec(stdout) ?? [];
  const key = readSeed(seed);
  assert.ok(key.problem === undefined, stdout);
  assert.deepEqual([key.value.verify.text, key.value.verify.id], [verify, id]);
  assert.notEqual(dyndns(['send', '-g']).stdout, stdout);
});

test('send -g makes keys too, as the original does', () => {
  assert.match(dyndns(['send', '--genkey']).stdout, /^secret key .*\nverify key .*\nkey id .*\n$/);
});

test('keygen -o keeps the secret in a new file for its owner alone, and replaces none', () => {
  const path = join(folder, 'new.key');
  const { status, stdout } = dyndns(['keygen', '-o', path]);
  assert.equal(status, 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^[\w-]{43}=\n$/);
  assert.ok(!stdout.includes(text.trim()));
  const again = dyndns(['keygen', '-o', path]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /new\.key: there is such a file already, perhaps with a key in use\nName another file/);
  assert.equal(readFileSync(path, 'utf8'), text);
  assert.match(
    dyndns(['keygen', '-o', join(folder, 'no', 'where')]).stderr,
    /cannot be written: there is no such file or folder/,
  );
});

test('no key begins with a dash, which a command line would take for a flag', () => {
  const dash = Uint8Array.from(Buffer.from(`-${seedA.slice(1)}`, 'base64url'));
  const offered = [dash, dash, keyB.seed];
  assert.deepEqual(newKey(() => offered.shift() ?? assert.fail('asked too often')).seed, keyB.seed);
});

test('a packet of each key of a file goes to each destination', async () => {
  const path = join(folder, 'two.key');
  writeFileSync(path, `# home\n${seedA}\n# office\n${keyText(keyB.seed)}\n`, { mode: 0o600 });
  const [one, two] = [await listening(), await listening()];
  const before = Date.now() / 1000;
  const { status, stderr } = await sending([`${one.place}/${two.place}`, path]);
  assert.deepEqual([status, stderr], [0, '']);
  const stamps = [await arrived(one, 2), await arrived(two, 2)].flatMap((got) => {
    assert.equal(got.length, 2);
    return got.map((bytes, index) => {
      const key = index === 0 ? keyA : keyB;
      const packet = decodePacket(bytes);
      assert.equal(packet?.keyId, key.verify.id);
      assert.ok(fitsStrict(key.verify, packet.signed, packet.signature));
      return packet.timestamp;
    });
  });
  assert.equal(new Set(stamps).size, 1);
  assert.ok((stamps[0] ?? 0) >= before && (stamps[0] ?? 0) <= Date.now() / 1000);
});

test('-n sends the same packet again, from the port of --bind', async () => {
  const server = await listening();
  const ports: number[] = [];
  server.socket.on('message', (_, from) => ports.push(from.port));
  const free = await listening();
  const { port } = free.socket.address();
  free.socket.close();
  const { status } = await sending(['-n', '3', '--send-delay', '0', '-b', `127.0.0.1:${port}`, server.place, keyFile]);
  assert.equal(status, 0);
  const got = await arrived(server, 3);
  assert.deepEqual(ports, [port, port, port]);
  assert.equal(new Set(got.map((bytes) => bytes.toString('hex'))).size, 1);
});

test('a key on the command line is warned of, one from standard input is not', async () => {
  const server = await listening();
  const { place } = server;
  const shown = await sending([place, seedA]);
  assert.equal(shown.status, 0);
  assert.match(shown.stderr, /^netsteward: warning: a secret key is on the command line: .*name the file\n$/);
  assert.deepEqual(await sending([place, '-'], seedA), { status: 0, stderr: '' });
  await arrived(server, 2);
});

test('a key on the command line is not there any more once it was read', async () => {
  const { socket, place } = await listening();
  const child = spawn(process.execPath, [entry, 'dyndns', 'send', '--interval', '1h', place, seedA], {
    stdio: 'ignore',
  });
  await once(socket, 'message');
  socket.close();
  const line = readFileSync(`/proc/${child.pid}/cmdline`, 'latin1');
  child.kill('SIGTERM');
  const [code] = (await once(child, 'close')) as [number];
  assert.ok(line.startsWith('netsteward dyndns send'), JSON.stringify(line));
  assert.ok(!line.includes(seedA));
  assert.equal(code, 0);
});

test('HUP sends a newer packet at once', async () => {
  const { socket, got, place } = await listening();
  const child = spawn(process.execPath, [entry, 'dyndns', 'send', '--interval', '1h', place, keyFile], {
    stdio: 'ignore',
  });
  await once(socket, 'message');
  child.kill('SIGHUP');
  await once(socket, 'message');
  socket.close();
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  const [first, second] = got.map((bytes) => decodePacket(bytes)?.timestamp ?? Number.NaN);
  assert.ok((first ?? Number.NaN) < (second ?? Number.NaN));
});

test('a key file that others may read is warned of, and used', async () => {
  const path = join(folder, 'open.key');
  writeFileSync(path, seedA);
  chmodSync(path, 0o640);
  const { socket, place } = await listening();
  const { status, stderr } = await sending([place, path]);
  socket.close();
  assert.equal(status, 0);
  assert.match(
    stderr,
    /^netsteward: warning: \S*open\.key holds secret keys, and others .*\(mode 0640\): chmod 0600 \S*open\.key\n$/,
  );
});

test('a credential of systemd is not warned of, whatever its mode looks like', async () => {
  const path = join(folder, 'credential');
  writeFileSync(path, seedA);
  chmodSync(path, 0o440);
  const server = await listening();
  process.env.CREDENTIALS_DIRECTORY = folder;
  try {
    assert.deepEqual(await sending([server.place, path]), { status: 0, stderr: '' });
  } finally {
    delete process.env.CREDENTIALS_DIRECTORY;
  }
  await arrived(server, 1);
});

test('a command line that cannot be understood is exit code 64, and no message repeats a key', () => {
  for (const [args, message] of [
    [[], /name a destination and at least one key/],
    [['127.0.0.1'], /name a destination and at least one key/],
    [['127.0.0.1:0', keyFile], /the destination 127\.0\.0\.1:0: a port is between 1 and 65535/],
    [['::1', '-v', '4', keyFile], /the destination ::1: it is not an IPv4 address/],
    [['::1', '-b', '127.0.0.1', keyFile], /no address to send from is of its family/],
    [['::1', '--send-delay', 'soon', keyFile], /the delay soon: write it as/],
    [['::1', '--interval', '0s', keyFile], /--interval 0s is for --watch/],
    [['::1', keyFile, keyFile], new RegExp(`the key with the id ${keyA.verify.id} is there twice`)],
    [['::1', seedA.slice(0, 40)], /key 1 of the command line: a key of 40 characters/],
    [['::1', keyFile, `${seedA.slice(0, 42)}!=`], /key 2 of the command line: a key with characters/],
  ] as const) {
    const { status, stdout, stderr } = dyndns(['send', ...args]);
    assert.deepEqual([status, stdout], [64, ''], stderr);
    assert.match(stderr, message);
    assert.ok(!stderr.includes(seedA.slice(0, 20)), stderr);
  }
});

test('a key file that cannot be used is exit code 1, with the cause', () => {
  writeFileSync(join(folder, 'broken.key'), `${seedA}\nshort\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'long.key'), `${seedA}\n`.repeat(2000), { mode: 0o600 });
  for (const [path, message] of [
    [
      './nowhere',
      /^netsteward: \.\/nowhere: cannot be read: there is no such file or folder\nMake it, or mend the path\.\n$/,
    ],
    ['./broken.key', /^netsteward: \.\/broken\.key: line 2: a key of 5 characters/],
    ['./long.key', /too long for a file of keys/],
    ['/', /^netsteward: \/: cannot be read: it is a folder/],
    ['/dev/null', /^netsteward: \/dev\/null: there is no key in it\n$/],
  ] as const) {
    const { status, stderr } = dyndns(['send', '::1', path]);
    assert.equal(status, 1, path);
    assert.match(stderr, message);
  }
  const standard = `/${Buffer.alloc(32, 5).toString('base64').slice(1)}`;
  const { stderr } = dyndns(['send', '::1', standard]);
  assert.match(stderr, /begins with "\/" and was taken for the path .*\nWrite the key as base64url/);
  assert.ok(!stderr.includes(standard.slice(1, 20)));
});

test('a destination that cannot be reached is exit code 1, with the reason, and the others get their packet', async () => {
  const server = await listening();
  const { status, stderr } = await sending(['-b', '127.0.0.1', `nowhere.invalid/${server.place}`, keyFile]);
  assert.equal(status, 1);
  await arrived(server, 1);
  assert.match(
    stderr,
    /^netsteward: nothing was sent to nowhere\.invalid from 127\.0\.0\.1: nowhere\.invalid does not resolve: /,
  );
  const wrong = await sending(['-b', '203.0.113.99', '127.0.0.1', keyFile]);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /this machine has no address 203\.0\.113\.99 \(--bind\)/);
});
