/** docs/dyndns-client.sh under dash and openssl: its packets are those of netsteward, down to the byte. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keyText, readSeed, type SigningKey, signingKey } from '../../src/dyndns/keys.ts';
import { decodePacket, encodePacket } from '../../src/dyndns/packet.ts';
import { fitsQuick, fitsStrict } from '../../src/dyndns/signature.ts';
import { checkout } from '../checkout.ts';

const script = join(checkout, 'docs/dyndns-client.sh');
const folder = mkdtempSync(join(tmpdir(), 'netsteward-sh-client-'));
after(() => rmSync(folder, { recursive: true }));

const skip = whatIsMissing();

function whatIsMissing(): string | false {
  for (const command of ['dash', 'bash']) {
    if (spawnSync(command, ['-c', ':']).status !== 0) return `NOT TESTED: ${command} is not installed`;
  }
  const openssl = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  return /^OpenSSL [3-9]/.test(openssl.stdout ?? '') ? false : 'NOT TESTED: openssl 3 is not installed';
}

function keyFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** The packet that the script makes; `commands` are shell scripts that stand in for programs of those names. */
function packetOf(path: string, commands: Readonly<Record<string, string>> = {}) {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const [name, text] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, TMPDIR: bin };
  const { status, stdout, stderr } = spawnSync('dash', [script, path], { env });
  return { status, packet: stdout, stderr: stderr.toString() };
}

const dateIs = (seconds: number) => ({ date: `[ "$*" = +%s ] && echo ${seconds}` });

function seedKey(byte: number): SigningKey {
  return signingKey(new Uint8Array(32).map((_, index) => (byte * 31 + index * byte) & 255));
}

test('it has at most 60 lines', () => {
  const lines = readFileSync(script, 'utf8').trimEnd().split('\n');
  assert.ok(lines.length <= 60, `${lines.length}`);
  assert.equal(lines[0], '#!/bin/sh');
});

test('its packets are those of netsteward for the same key and time', { skip }, () => {
  // Both sides of a power of two, of 2038, of ten bits, of 2106; and the vector.
  const times = [
    1073741824, 1405421249, 1893456000, 2147483647, 2147483648, 2147484671, 4294967295, 4294967296, 8589934591,
  ];
  for (const [index, time] of times.entries()) {
    const key = seedKey(index + 1);
    const { status, packet, stderr } = packetOf(keyFile('seed', `${keyText(key.seed)}\n`), dateIs(time));
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal(packet.toString('hex'), Buffer.from(encodePacket(key, time)).toString('hex'), `${time}`);
  }
});

test('a packet of now is taken by both checks of the server', { skip }, () => {
  const key = readSeed('1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=');
  assert.ok(key.problem === undefined);
  const before = Math.floor(Date.now() / 1000);
  const { packet: bytes } = packetOf(keyFile('seed', keyText(key.value.seed)));
  const packet = decodePacket(bytes);
  assert.equal(packet?.keyId, 'QlH0RDCxXrI2OvL2OUA4DBeDY79X');
  assert.ok(packet.timestamp >= before && packet.timestamp <= Date.now() / 1000);
  for (const fits of [fitsQuick, fitsStrict]) {
    assert.ok(fits(key.value.verify, packet.signed, packet.signature));
  }
});

test('seeds are taken as netsteward takes them, and PEM as openssl makes it', { skip }, () => {
  const key = seedKey(251);
  const expected = Buffer.from(encodePacket(key, 1893456000)).toString('hex');
  const text = keyText(key.seed);
  const pem = spawnSync('openssl', ['pkey', '-inform', 'DER'], {
    input: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), key.seed]),
  });
  assert.match(pem.stdout.toString(), /^-----BEGIN PRIVATE KEY-----\n/);
  for (const [name, content] of [
    ['padded', text],
    ['unpadded', text.slice(0, 43)],
    ['standard', Buffer.from(key.seed).toString('base64')],
    ['crlf', `${text}\r\n`],
    ['pem', pem.stdout.toString()],
  ] as const) {
    const { packet, stderr } = packetOf(keyFile(name, content), dateIs(1893456000));
    assert.equal(packet.toString('hex'), expected, `${name}: ${stderr}`);
  }
});

test('what is no key is refused, a clock that was never set too, and nothing is left behind', { skip }, () => {
  const rsa = spawnSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024']);
  for (const [content, message] of [
    ['short', /holds neither PEM nor one seed/],
    ['', /holds neither PEM nor one seed/],
    [`${keyText(seedKey(1).seed)}\n${keyText(seedKey(2).seed)}`, /holds neither PEM nor one seed/],
    ['-----BEGIN PRIVATE KEY-----\nno\n', /./],
    [rsa.stdout.toString(), /./],
  ] as const) {
    const { status, packet, stderr } = packetOf(keyFile('bad', content));
    assert.notEqual(status, 0, content);
    assert.equal(packet.length, 0, content);
    assert.match(stderr, message);
  }
  const { status, stderr } = packetOf(keyFile('good', keyText(seedKey(1).seed)), dateIs(86_400));
  assert.notEqual(status, 0);
  assert.match(stderr, /the clock of this machine is wrong/);
  assert.equal(spawnSync('find', [folder, '-name', 'tmp.*'], { encoding: 'utf8' }).stdout, '');
});

/** What arrives when the script has nothing to send with but the named program. */
async function arrival(program: string, stand?: string): Promise<Buffer> {
  const bin = mkdtempSync(join(folder, 'only-'));
  const tools = [
    'openssl',
    'mktemp',
    'rm',
    'head',
    'tail',
    'tr',
    'cp',
    'cat',
    'wc',
    'date',
    ...(stand === undefined ? [program] : []),
  ];
  for (const tool of tools) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    assert.notEqual(found, '', tool);
    writeFileSync(join(bin, tool), `#!/bin/sh\nexec ${found} "$@"\n`, { mode: 0o755 });
  }
  if (stand !== undefined) writeFileSync(join(bin, program), stand, { mode: 0o755 });
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const dash = spawnSync('sh', ['-c', 'command -v dash'], { encoding: 'utf8' }).stdout.trim();
  const child = spawn(
    dash,
    [script, keyFile('seed', keyText(seedKey(9).seed)), '127.0.0.1', `${socket.address().port}`],
    {
      env: { PATH: bin, TMPDIR: bin },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = once(child, 'close');
  const [bytes] = (await Promise.race([once(socket, 'message'), closed.then(() => [undefined])])) as [
    Buffer | undefined,
  ];
  const [code] = (await closed) as [number];
  socket.close();
  assert.equal(code, 0, said);
  return bytes ?? assert.fail(`nothing arrived: ${said}`);
}

async function arrives(program: string, stand?: string): Promise<void> {
  const packet = decodePacket(await arrival(program, stand));
  const key = seedKey(9);
  assert.equal(packet?.keyId, key.verify.id);
  assert.ok(fitsStrict(key.verify, packet.signed, packet.signature));
}

test('a datagram of 100 bytes arrives, sent by bash alone', { skip }, () => arrives('bash'));

test('nc and socat are called in the way that works with the real ones', { skip }, async () => {
  const bash = spawnSync('sh', ['-c', 'command -v bash'], { encoding: 'utf8' }).stdout.trim();
  await arrives('nc', `#!${bash}\n[ "$1 $2 $3 $#" = "-u -w 1 5" ] || exit 9\ncat >"/dev/udp/$4/$5"\n`);
  const socat = `#!${bash}
[ "$1 $#" = "-u 3" ] && [[ $2 =~ ^OPEN:(.*),rdonly$ ]] || exit 9
file=\${BASH_REMATCH[1]}
[[ $3 =~ ^UDP-SENDTO:([^:]+):([0-9]+)$ ]] || exit 9
cat "$file" >"/dev/udp/\${BASH_REMATCH[1]}/\${BASH_REMATCH[2]}"
`;
  await arrives('socat', socat);
});
