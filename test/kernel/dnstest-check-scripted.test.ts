/** `netsteward dnstest check` against a server that does what the test says: kinds of failure that no healthy program shows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { NameHash } from '../../src/dnstest/name-hash.ts';
import { answerTo, readQuery } from '../fakes/fake-dns-transport.ts';
import { check, runProgram, verdict } from './dnstest-check-run.ts';
import { ScriptedServer, serverName } from './dnstest-check-server.ts';

const server = new ScriptedServer();
const port = await server.listen();
const tlsPort = await server.listenTls();
const httpsPort = await server.listenHttps();
const folder = mkdtempSync('/tmp/netsteward-dnscheck-');
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});
const caFile = join(folder, 'ca.pem');
writeFileSync(caFile, server.authority.certificate);

const hash = new NameHash('secret');
const old = new NameHash('before');
const udp = `127.0.0.1:${port}`;
const at = ['-k', 'secret', '-r', udp] as const;
const name = '@.test.example';

const anyServer = { protocol: 'udp', address: '127.0.0.1', port, name: undefined, path: '' } as const;
const addressFor = (query: Buffer, by = hash): string => {
  const asked = readQuery(anyServer, query);
  return by.address(asked.name, asked.type === 'A' ? 4 : 6);
};
const right = (query: Buffer): readonly Buffer[] => [answerTo(query, { addresses: [addressFor(query)] })];

beforeEach(() => {
  server.seen.length = 0;
  server.behaviour = right;
});

test('a right answer is 0 and says nothing, over every transport and for both types', async () => {
  const quiet = await runProgram(['dnstest', 'check', ...at, name]);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', '']);
  const secure = [`tls://${serverName}:${tlsPort}#127.0.0.1`, `https://${serverName}:${httpsPort}/dns-query#127.0.0.1`];
  const more = [`tcp://127.0.0.1:${port}`, ...secure].flatMap((resolver) => ['-r', resolver]);
  const { code, results } = await check(...at, ...more, '--ca-file', caFile, '--mixed-case', '-q', 'aaaa', name);
  assert.deepEqual([code, results.map(({ ok }) => ok)], [0, [true, true, true, true]]);
  assert.deepEqual(new Set(server.seen.map(({ via }) => via)), new Set(['udp', 'tcp', 'tls', 'https']));
});

test('answers that are wrong in part, of an old key, or of nobody are told apart', async () => {
  server.behaviour = (query) => [answerTo(query, { addresses: [addressFor(query), '203.0.113.9'] })];
  assert.equal(await verdict(...at, name), '53 partial');
  assert.equal(await verdict(...at, '--any', name), '0 right');
  server.behaviour = (query) => [answerTo(query, { addresses: [addressFor(query, old)] })];
  assert.equal(await verdict(...at, '--old-key', 'before', name), '53 stale');
  assert.equal(await verdict(...at, name), '53 wrong');
});

test('an answer cut short with no TCP behind it is told, and with TCP it is right', async () => {
  server.behaviour = (query, via) => (via === 'udp' ? [answerTo(query, { truncated: true })] : right(query));
  assert.equal(await verdict(...at, name), '0 right');
  server.behaviour = (query, via) => (via === 'udp' ? [answerTo(query, { truncated: true })] : 'close');
  assert.equal(await verdict(...at, name), '53 truncated');
});

test('a right answer over the limit is slow', async () => {
  assert.equal(await verdict(...at, '--slow', '1h', name), '0 right');
  server.seen.length = 0;
  // The first datagram goes unanswered, so the answer comes a second later at least, however quick the machine is.
  server.behaviour = (query) => (server.seen.length < 2 ? [] : right(query));
  assert.equal(await verdict(...at, '--slow', '500ms', name), '53 slow');
});

test('bytes that answer another question are no answer', async () => {
  server.behaviour = () => [Buffer.from('something else entirely, and long enough')];
  assert.equal(await verdict(...at, '--timeout', '1s', name), '53 malformed');
});

test('with several resolvers each has its own result, and one failure is enough for 53', async () => {
  server.behaviour = (query, via) => (via === 'udp' ? right(query) : [answerTo(query, { rcode: 'REFUSED' })]);
  const { code, results } = await check(...at, '-r', `tcp://127.0.0.1:${port}`, name);
  assert.equal(code, 53);
  assert.deepEqual(
    results.map(({ resolver, kind }) => [resolver, kind]),
    [
      [`udp://127.0.0.1:${port}`, undefined],
      [`tcp://127.0.0.1:${port}`, 'refused'],
    ],
  );
});

test('the test zone that is down is no fault of the resolver: 1, not 53, and it is said', async () => {
  server.behaviour = (query) => [answerTo(query, { rcode: 'SERVFAIL' })];
  const args = [...at, '--control', `tcp://127.0.0.1:${port}`, name];
  assert.equal(await verdict(...args), '1 servfail failed');
  const { stderr } = await runProgram(['dnstest', 'check', ...args]);
  assert.match(stderr, /SERVFAIL; the zone's own server gives no right answer either: the test zone is down/);
  server.behaviour = (query, via) => (via === 'tcp' ? right(query) : [answerTo(query, { rcode: 'SERVFAIL' })]);
  assert.equal(await verdict(...args), '53 servfail right');
});

test('without a test zone that is right a wrong address is nobody’s fault for sure; beside the right one it is', async () => {
  const args = [...at, '--control', `tcp://127.0.0.1:${port}`, name];
  server.behaviour = (query, via) => (via === 'tcp' ? 'close' : [answerTo(query, { addresses: ['203.0.113.9'] })]);
  assert.equal(await verdict(...args), '1 wrong failed');
  server.behaviour = (query, via) =>
    via === 'tcp' ? 'close' : [answerTo(query, { addresses: [addressFor(query), '203.0.113.9'] })];
  assert.equal(await verdict(...args), '53 partial failed');
});

/** A PATH with an fping that ends with this code; none without. */
function pathWith(code?: number): NodeJS.ProcessEnv {
  const bin = mkdtempSync(join(folder, 'bin-'));
  if (code !== undefined) {
    const script = `#!/bin/sh\necho "$*" >> ${folder}/pings\n[ "$1" = -v ] && exit 0\nexit ${code}\n`;
    writeFileSync(join(bin, 'fping'), script, { mode: 0o755 });
  }
  return { ...process.env, PATH: code === undefined ? bin : `${bin}:/usr/bin:/bin` };
}

test('with --ping a silent resolver counts only while the host answers', async () => {
  server.behaviour = () => [];
  const args = ['dnstest', 'check', ...at, '--timeout', '300ms', '-p', 'ping.example', name];
  assert.equal((await runProgram(args, pathWith(0))).code, 53);
  const down = await runProgram(args, pathWith(1));
  assert.equal(down.code, 0);
  assert.match(down.stderr, /the network is down \(no answer to the ping\)/);
});

test('a wrong address is never excused by the ping', async () => {
  server.behaviour = (query) => [answerTo(query, { addresses: ['203.0.113.9'] })];
  assert.equal((await runProgram(['dnstest', 'check', ...at, '-p', 'ping.example', name], pathWith(1))).code, 53);
});

test('fping that is missing is told before anything is asked', async () => {
  const { code, stderr } = await runProgram(['dnstest', 'check', ...at, '-p', 'ping.example', name], pathWith());
  assert.equal(code, 1);
  assert.match(stderr, /--ping needs fping: .*ENOENT\n.*Install fping/);
  assert.equal(server.seen.length, 0);
});

test('a fixed name whose address filters drop comes with a warning', async () => {
  // One name in 256 has an address in 10.0.0.0/8.
  const chosen = Array.from({ length: 5000 }, (_, index) => `n${index}.test.example`).find((each) =>
    hash.address(each, 4).startsWith('10.'),
  );
  assert.ok(chosen !== undefined);
  const { code, stderr } = await runProgram(['dnstest', 'check', ...at, chosen]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: n\d+\.test\.example has the address .* filter against rebinding/);
});

test('what is wrong on the command line is 2, with a reason', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['-q', 'MX', name], /"MX" is neither A nor AAAA/],
    [['-k', 'k'.repeat(33), name], /has 33 bytes, and 32 are the most/],
    [['-r', 'dns.example', name], /no IP address/],
    [['-r', udp, '-r', `udp://${udp}`, name], /is there twice/],
    [['--control', 'system', name], /name the address of the server/],
    [['--timeout', '5', name], /must be a duration/],
    [['a..b'], /empty label/],
    [[], /missing required argument/],
    [['--what', name], /unknown option/],
  ];
  for (const [args, reason] of cases) {
    const { code, stderr } = await runProgram(['dnstest', 'check', ...args]);
    assert.deepEqual([code, reason.test(stderr)], [2, true], `${args.join(' ')}: ${stderr}`);
  }
  assert.equal(server.seen.length, 0);
});

test('the key may come from a file, which is 2 when it cannot be read or is one too many', async () => {
  const file = join(folder, 'key');
  writeFileSync(file, 'secret\n');
  assert.equal(await verdict('--hash-key-file', file, '-r', udp, name), '0 right');
  for (const words of [
    ['--hash-key-file', join(folder, 'none')],
    ['-k', 'secret', '--hash-key-file', file],
  ]) {
    const { code, stderr } = await runProgram(['dnstest', 'check', ...words, '-r', udp, name]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /none, which should have the hash key, cannot be read|are two keys/);
  }
});

test('a CA file that cannot be read ends with 1, and no resolver is accused', async () => {
  const args = ['-k', 'secret', '-r', `tls://${serverName}:${tlsPort}#127.0.0.1`, '--ca-file', join(folder, 'none')];
  const { code, stderr } = await runProgram(['dnstest', 'check', ...args, name]);
  assert.equal(code, 1);
  assert.match(stderr, /none cannot be read/);
});
