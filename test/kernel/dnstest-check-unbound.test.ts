/** `netsteward dnstest check` and the real unbound, well and broken in each way that unbound can be, with our own daemon as the zone. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NameHash } from '../../src/dnstest/name-hash.ts';
import { CertificateAuthority } from '../../src/lab/certificates.ts';
import { mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';
import { check, verdict } from './dnstest-check-run.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { unboundIn } from './unbound-config.ts';

const key = 'secret';
const zone = '127.0.0.7';
const name = '@.test.example';
const base = ['-k', key, '--control', zone] as const;

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const folder = insideNamespace ? mkdtempSync('/tmp/netsteward-dnscheck-') : '';
const started = new Set<ChildProcess>();

async function end(child: ChildProcess): Promise<void> {
  started.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  // SIGKILL also ends one that is stopped.
  child.kill('SIGKILL');
  await closed;
}

after(async () => {
  for (const child of started) await end(child);
  if (folder !== '') rmSync(folder, { recursive: true });
});

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' });
  started.add(child);
  return child;
}

async function listens(address: string, port: number): Promise<void> {
  await eventually(`a listener at ${address}:${port}`, () => {
    return new Promise<true | undefined>((resolve) => {
      const socket = connect({ host: address, port });
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(undefined));
    });
  });
}

const startZone = async (): Promise<ChildProcess> => {
  const child = start(process.execPath, [mainJs, 'dnstest', 'serve', '-k', key, '--zone', 'test.example', '-b', zone]);
  await listens(zone, 53);
  return child;
};

const stub = `stub-zone:\n  name: "test.example"\n  stub-addr: ${zone}\n`;

interface UnboundShape {
  /** Lines of the server clause. */
  readonly server?: string;
  readonly validates?: boolean;
  readonly allow?: string;
  readonly asksLocalhost?: boolean;
}

/** A fixed name whose address begins so. */
function nameIn(start: string): string {
  const hash = new NameHash(key);
  const names = Array.from({ length: 5000 }, (_, index) => `n${index}.test.example`);
  const found = names.find((each) => hash.address(each, 4).startsWith(start));
  assert.ok(found !== undefined);
  return found;
}

let instances = 10;

/** An unbound on port 53 of an address of its own, whose only way out is the zone. */
async function unbound(shape: UnboundShape = {}): Promise<{ readonly address: string; readonly child: ChildProcess }> {
  const { server = '', validates = false, allow = 'allow', asksLocalhost = true } = shape;
  instances++;
  const address = `127.0.0.${instances}`;
  const file = join(folder, `${address}.conf`);
  const text = `${unboundIn(folder)}  num-threads: 1
  interface: ${address}
  access-control: 127.0.0.0/8 ${allow}
  do-not-query-localhost: ${asksLocalhost ? 'no' : 'yes'}
  module-config: "${validates ? 'validator ' : ''}iterator"
${server}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@1
${stub}`;
  writeFileSync(file, text);
  execFileSync('unbound-checkconf', [file], { stdio: 'pipe' });
  const child = start('unbound', ['-d', '-c', file]);
  await listens(address, 53);
  return { address, child };
}

if (!insideNamespace) {
  test('in a network namespace of its own', async (t) => {
    const missing = ['unbound', 'dnsmasq', 'fping'].filter(
      (each) => spawnSync(each, ['--help'], { env }).error !== undefined,
    );
    if (missing.length > 0) return t.skip(`NOT TESTED: not installed: ${missing.join(', ')}`);
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  let served = await startZone();

  test('a healthy unbound is right over UDP, TCP, TLS and HTTPS, IPv4 and IPv6, for A and AAAA', async () => {
    const authority = new CertificateAuthority(Date.now());
    const certificate = authority.issue('dns.netsteward.test');
    for (const [file, pem] of [
      ['ca.pem', authority.certificate],
      ['cert.pem', certificate.cert],
      ['key.pem', certificate.key],
    ] as const) {
      writeFileSync(join(folder, file), pem, { mode: 0o600 });
    }
    const next = `127.0.0.${instances + 1}`;
    const { address } = await unbound({
      server: `  interface: ::1
  access-control: ::1 allow
  interface: ${next}@853
  interface: ${next}@443
  tls-port: 853
  https-port: 443
  tls-service-key: "${folder}/key.pem"
  tls-service-pem: "${folder}/cert.pem"`,
    });
    const resolvers = [
      address,
      `tcp://${address}`,
      '::1',
      'tcp://[::1]',
      `tls://dns.netsteward.test#${address}`,
      `https://dns.netsteward.test/dns-query#${address}`,
    ];
    const asked = resolvers.flatMap((resolver) => ['-r', resolver]);
    for (const type of ['A', 'AAAA']) {
      const { code, results } = await check(...base, ...asked, '--ca-file', join(folder, 'ca.pem'), '-q', type, name);
      assert.deepEqual([code, results.map(({ text }) => text)], [0, resolvers.map(() => undefined)]);
    }
  });

  test('an unbound that is frozen is a time-out, and is right again when it thaws', async () => {
    const { address, child } = await unbound();
    assert.equal(await verdict(...base, '-r', address, name), '0 right');
    child.kill('SIGSTOP');
    assert.equal(await verdict(...base, '-r', address, '--timeout', '1s', name), '53 timeout right');
    assert.equal(await verdict(...base, '-r', `tcp://${address}`, '--timeout', '1s', name), '53 timeout right');
    child.kill('SIGCONT');
    assert.equal(await verdict(...base, '-r', address, name), '0 right');
    await end(child);
    assert.equal(await verdict(...base, '-r', address, name), '53 unreachable right');
  });

  test('a resolver that no route leads to is unreachable, at once and over each transport', async () => {
    for (const resolver of ['192.0.2.1', 'tcp://192.0.2.1', 'tls://192.0.2.1', 'https://192.0.2.1', '2001:db8::1']) {
      // A namespace has no routes; a time-out of an hour shows that nobody waited for one.
      assert.equal(await verdict(...base, '-r', resolver, '--timeout', '1h', name), '53 unreachable right', resolver);
    }
  });

  test('an unbound that may not ask the zone says SERVFAIL, also with checking disabled', async () => {
    // unbound.conf(5): do-not-query-localhost is yes where nobody says otherwise.
    const { address } = await unbound({ asksLocalhost: false });
    assert.equal(await verdict(...base, '-r', address, name), '53 servfail right');
  });

  test('an unbound that does not serve this client says REFUSED', async () => {
    const { address } = await unbound({ allow: 'refuse' });
    assert.equal(await verdict(...base, '-r', address, name), '53 refused right');
  });

  test('an unbound that denies the zone says NXDOMAIN', async () => {
    const { address } = await unbound({ server: '  local-zone: "test.example" static' });
    assert.equal(await verdict(...base, '-r', address, name), '53 nxdomain right');
  });

  test('an unbound that sends every name to one place is unmasked', async () => {
    const redirect = '  local-zone: "test.example" redirect\n  local-data: "test.example A 203.0.113.9"';
    const { address } = await unbound({ server: redirect });
    const { code, results } = await check(...base, '-r', address, name);
    assert.deepEqual([code, results[0]?.kind, results[0]?.control], [53, 'wrong', 'right']);
    assert.match(results[0]?.text ?? '', /everything is answered with 203\.0\.113\.9/);
    assert.equal(await verdict(...base, '-r', address, '-q', 'AAAA', name), '53 empty right');
  });

  test('behind a rebinding filter drawn names are right, and a fixed one in its ranges is stripped', async () => {
    const ranges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fd00::/8', 'fe80::/10'];
    const { address } = await unbound({ server: ranges.map((range) => `  private-address: ${range}`).join('\n') });
    assert.equal(await verdict(...base, '-r', address, name), '0 right');
    const fixed = nameIn('10.');
    assert.equal(await verdict(...base, '-r', address, fixed), '53 stripped right');
  });

  test('behind dnsmasq’s rebinding filter it is the same, and for loopback addresses, too', async () => {
    const address = '127.0.0.9';
    // Without --no-daemon it changes its group, which a user namespace forbids.
    const where = ['--no-daemon', '-C', '/dev/null', '-p', '53', `--listen-address=${address}`, '--bind-interfaces'];
    const alone = ['--no-resolv', '--no-hosts', '--pid-file=', '--log-facility=-'];
    start('dnsmasq', [...where, ...alone, `--server=/test.example/${zone}`, '--stop-dns-rebind']);
    await listens(address, 53);
    assert.equal(await verdict(...base, '-r', address, name), '0 right');
    for (const first of ['10.', '127.']) {
      assert.equal(await verdict(...base, '-r', address, nameIn(first)), '53 stripped right', first);
    }
  });

  test('with the real fping silence is excused only while the host is not there', async () => {
    const { address, child } = await unbound();
    child.kill('SIGSTOP');
    const silent = ['-k', key, '-r', address, '--timeout', '500ms', name] as const;
    const up = await check(...silent, '-p', '127.0.0.1');
    assert.deepEqual([up.code, up.networkDown], [53, false]);
    const down = await check(...silent, '-p', '192.0.2.1');
    assert.deepEqual([down.code, down.networkDown], [0, true], 'a namespace has no route to it');
  });

  test('an unbound that cannot validate the zone is told from one that cannot reach it', async () => {
    const anchor = `  trust-anchor: "test.example. DS 12345 13 2 ${'ab'.repeat(32)}"`;
    const { address } = await unbound({ validates: true, server: anchor });
    const { code, results } = await check(...base, '-r', address, name);
    assert.deepEqual([code, results[0]?.kind, results[0]?.control], [53, 'bogus', 'right']);
    const cured = await unbound({ validates: true, server: '  domain-insecure: "test.example"' });
    assert.equal(await verdict(...base, '-r', cured.address, name), '0 right');
  });

  test('libc’s resolver is judged by what resolv.conf leads to', async () => {
    const { address, child } = await unbound();
    const refusing = await unbound({ allow: 'refuse' });
    const denying = await unbound({ server: '  local-zone: "test.example" static' });
    const empty = await unbound({
      server: '  local-zone: "test.example" redirect\n  local-data: "test.example TXT nothing"',
    });
    const wrong = await unbound({
      server: '  local-zone: "test.example" redirect\n  local-data: "test.example A 203.0.113.9"',
    });
    const file = join(folder, 'resolv.conf');
    const use = (server: string): void => writeFileSync(file, `nameserver ${server}\noptions timeout:1 attempts:1\n`);
    use(address);
    execFileSync('mount', ['--bind', file, '/etc/resolv.conf']);
    assert.equal(await verdict(...base, name), '0 right');
    assert.equal(await verdict(...base, '-q', 'AAAA', name), '0 right');
    use(denying.address);
    assert.equal(await verdict(...base, name), '53 nxdomain right');
    use(empty.address);
    assert.equal(await verdict(...base, name), '53 empty right');
    use(wrong.address);
    assert.equal(await verdict(...base, name), '53 wrong right');
    use(refusing.address);
    assert.equal(await verdict(...base, name), '53 servfail right');
    use(address);
    child.kill('SIGSTOP');
    assert.equal(await verdict(...base, name), '53 timeout right');
    assert.equal(await verdict(...base, '--timeout', '100ms', name), '53 timeout right');
  });

  test('with the zone down the resolver is not accused, and with it back all is right', async () => {
    const { address } = await unbound();
    await end(served);
    assert.equal(
      await verdict(...base, '-r', address, '--timeout', '3s', name).then((said) => said.split(' ').at(0)),
      '1',
    );
    served = await startZone();
    const fresh = await unbound();
    assert.equal(await verdict(...base, '-r', fresh.address, name), '0 right');
  });
}
