/** The lab on a real kernel: what a client on the LAN sees of services, censor and tunnel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { CurlResult } from '../../src/lab/curl.ts';
import { linkEnd } from '../../src/lab/plan.ts';
import type { CensorKind } from '../../src/lab/vocabulary.ts';
import { labForTests } from './lab-fixture.ts';

const lab = await labForTests();
const { services } = await lab.status();
const addressesOf = (name: string): readonly string[] =>
  services.find((service) => service.name === name)?.addresses ?? [];

const schemes = ['http', 'https'] as const;
const families = [4, 6] as const;

/** `ok`, or why not, of video.example from the LAN; only where a time-out is expected is it a short one. */
async function fetchVideo(scheme: 'http' | 'https', family: 4 | 6, expected: string): Promise<string> {
  const timeout = expected === 'timeout' ? 800 : 15_000;
  const { ok, reason } = await lab.curl('video.example', { scheme, family, timeout });
  return ok ? 'ok' : `${reason}`;
}

async function bystanderWorks(): Promise<void> {
  const { ok, via, error } = await lab.curl('news.example');
  assert.ok(ok && via === 'direct', `news.example: ${error}`);
}

test('a client on the LAN fetches by http and https over IPv4 and IPv6, directly', async () => {
  for (const scheme of schemes) {
    for (const family of families) {
      const result = await lab.curl('video.example', { scheme, family });
      assert.deepEqual(
        [result.ok, result.via, result.bytes],
        [true, 'direct', 96 * 1024],
        `${scheme} ${family}: ${result.error}`,
      );
      assert.ok(addressesOf('video.example').includes(result.address ?? ''));
    }
  }
  assert.ok((await lab.curl('shop.example', { host: 'router' })).ok, 'the router itself');
});

test('a name is served at its own addresses only', async () => {
  const [address = ''] = addressesOf('news.example');
  assert.equal((await lab.curl('video.example', { scheme: 'http', address })).status, 421);
});

/** What a client sees of each kind: http, then https. */
const effects: Readonly<Record<Exclude<CensorKind, 'none' | 'icmp'>, readonly [string, string]>> = {
  drop: ['timeout', 'timeout'],
  rst: ['refused', 'refused'],
  sni: ['ok', 'reset'],
  'sni-drop': ['ok', 'timeout'],
  hijack: ['protocol', 'certificate'],
  blockpage: ['status', 'ok'],
  legal: ['status', 'ok'],
  redirect: ['status', 'ok'],
  stall: ['timeout', 'timeout'],
  cut: ['reset', 'reset'],
  throttle: ['timeout', 'timeout'],
  dns: ['timeout', 'timeout'],
  nxdomain: ['resolve', 'resolve'],
};

for (const [kind, [http, https]] of Object.entries(effects)) {
  test(`${kind}: http ends with ${http}, https with ${https}, and another service works`, async () => {
    await lab.censor(
      'video.example',
      kind as CensorKind,
      kind === 'dns' ? { addresses: ['62.99.0.1', '2a10:99::1'] } : {},
    );
    // The addresses of the forged answers do not answer either: here because nothing is there.
    if (kind === 'dns') await lab.censor(['62.99.0.1', '2a10:99::1'], 'drop');
    const seen = await Promise.all([
      ...families.flatMap((family) => [fetchVideo('http', family, http), fetchVideo('https', family, https)]),
      bystanderWorks(),
    ]);
    assert.deepEqual(seen.slice(0, 4), [http, https, http, https], 'IPv4, then IPv6');
    await lab.censor(['video.example', '62.99.0.1', '2a10:99::1'], 'none');
    for (const family of families)
      assert.equal(await fetchVideo('https', family, 'ok'), 'ok', 'after the censor relented');
  });
}

test('icmp: a client sees that its connection was rejected', async () => {
  await lab.censor('video.example', 'icmp');
  assert.equal(await fetchVideo('https', 4, 'unreachable'), 'unreachable');
  // With the second SYN: see the note at `icmp` in vocabulary.ts.
  assert.equal(await fetchVideo('https', 6, 'unreachable'), 'unreachable');
  await bystanderWorks();
  await lab.censor('video.example', 'none');
});

test('block page and redirect carry what they say', async () => {
  const [address = ''] = addressesOf('video.example');
  const ask = async (): Promise<string> => {
    const argv = ['curl', '-s', '-i', '--resolve', `video.example:80:${address}`, 'http://video.example/'] as const;
    return (await lab.exec('lan', [...argv])).stdout;
  };
  await lab.censor('video.example', 'blockpage');
  assert.match(await ask(), /^HTTP\/1\.1 403 [\s\S]*blocked/);
  await lab.censor('video.example', 'redirect', { location: 'http://law.example/451' });
  assert.match(await ask(), /^HTTP\/1\.1 302 [\s\S]*location: http:\/\/law\.example\/451\r\n/);
  await lab.censor('video.example', 'none');
});

test('stall lets exactly as many bytes through as it was told', async () => {
  const heads: number[] = [];
  for (const after of [8, 40]) {
    await lab.censor('video.example', 'stall', { after: after * 1024 });
    const result = await lab.curl('video.example', { scheme: 'http', timeout: 2500 });
    assert.equal(result.reason, 'timeout');
    assert.equal(result.status, 200);
    heads.push(after * 1024 - result.bytes);
  }
  // What is missing from both is the same: the head of the answer.
  assert.ok((heads[0] ?? 0) > 0 && heads[0] === heads[1], heads.join());
  await lab.censor('video.example', 'none');
});

test('one address, or one family, is censored alone', async () => {
  const [first = '', second = ''] = addressesOf('video.example');
  await lab.censor(first, 'rst');
  const at = (address: string): Promise<CurlResult> => lab.curl('video.example', { address, timeout: 4000 });
  assert.equal((await at(first)).reason, 'refused');
  assert.ok((await at(second)).ok);
  await lab.censor(first, 'none');
  await lab.censor('ipv6', 'drop');
  assert.equal(await fetchVideo('https', 6, 'timeout'), 'timeout');
  assert.equal(await fetchVideo('https', 4, 'ok'), 'ok');
  await lab.censor('ipv6', 'none');
  assert.equal(await fetchVideo('https', 6, 'ok'), 'ok');
});

test('drop bites in the middle of an open connection', async () => {
  const whole = 2_000_000_000;
  await lab.service('shop.example', { paths: { '/big': { bytes: whole } } });
  const argv = ['curl', '-s', '--limit-rate', '20M', 'http://shop.example/big'] as const;
  const client = lab.spawn('lan', [...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  let bytes = 0;
  await new Promise<void>((resolve) => {
    client.stdout?.on('data', (data: Buffer) => {
      bytes += data.length;
      resolve();
    });
  });
  await lab.censor('shop.example', 'drop');
  // What was on its way still comes; then nothing more, and curl waits.
  for (let before = -1; before < bytes; await wait(300)) before = bytes;
  assert.ok(bytes < whole);
  assert.equal(client.exitCode, null);
  client.kill('SIGKILL');
  await lab.censor('shop.example', 'none');
});

test('the router has two ways around: each by its mark, and by the source address of whoever binds to it', async () => {
  for (const way of ['exit', 'exit2'] as const) {
    const end = linkEnd('router', way);
    for (const source of [end.ipv4, end.ipv6]) {
      const family = source.includes(':') ? '-6' : '-4';
      const url = 'https://shop.example/';
      const argv = ['curl', family, '--interface', source, '--cacert', lab.caFile, '-sS', '-o', '/dev/null'] as const;
      const { stdout, stderr } = await lab.exec('router', [...argv, '-w', '%{http_code} %header{x-lab-via}', url]);
      assert.equal(stdout, `200 ${way}`, `${source}: ${stderr}`);
    }
  }
});

test('what the router marks goes through the tunnel, forwarded and its own, and exit counts it', async () => {
  await lab.censor('video.example', 'drop');
  const before = await lab.counters();
  const four = addressesOf('video.example').filter((address) => !address.includes(':'));
  const six = addressesOf('video.example').filter((address) => address.includes(':'));
  const mark = `ip daddr { ${four.join()} } meta mark set 0x10000\n ip6 daddr { ${six.join()} } meta mark set 0x10000\n`;
  const ruleset = `table inet test {
    chain forwarded {\n type filter hook prerouting priority mangle\n ${mark} }
    chain own {\n type route hook output priority mangle\n ${mark} }
  }`;
  const loaded = await lab.exec('router', ['nft', '-f', '-'], { stdin: ruleset });
  assert.equal(loaded.code, 0, loaded.stderr);
  for (const host of ['lan', 'router'] as const) {
    for (const family of families) {
      const result = await lab.curl('video.example', { host, family });
      assert.deepEqual([result.ok, result.via], [true, 'tunnel'], `${host} IPv${family}: ${result.error}`);
    }
  }
  await bystanderWorks();
  const { direct, tunnel } = await lab.counters();
  for (const addresses of [four, six]) {
    const sum = (counters: typeof tunnel, way: 'sent' | 'received'): number =>
      addresses.reduce((bytes, address) => bytes + (counters[address]?.[way].bytes ?? 0), 0);
    assert.ok(sum(tunnel, 'sent') > 0);
    assert.ok(sum(tunnel, 'received') > 2 * 96 * 1024);
    assert.equal(sum(direct, 'sent'), sum(before.direct, 'sent'), 'nothing of it went direct');
    assert.equal(sum(before.tunnel, 'sent'), 0);
  }
  // As someone else's reload does it: the test's table goes, the administrator's is there again.
  const reload = await lab.exec('router', ['nft', '-f', lab.routerRuleset]);
  assert.equal(reload.code, 0, reload.stderr);
  assert.equal(await fetchVideo('https', 4, 'timeout'), 'timeout');
  await lab.censor('video.example', 'none');
  const result = await lab.curl('video.example');
  assert.deepEqual([result.ok, result.via], [true, 'direct']);
});

test('a service out of order fails by either way, and its certificate may be wrong', async () => {
  await lab.service('chat.example', { outage: 'rst' });
  assert.equal((await lab.curl('chat.example')).reason, 'refused');
  for (const certificate of ['expired', 'wrong-name', 'self-signed'] as const) {
    await lab.service('chat.example', { outage: 'none', certificate });
    assert.equal((await lab.curl('chat.example')).reason, 'certificate', certificate);
  }
  await lab.service('chat.example', {
    certificate: 'valid',
    answer: { status: 503 },
    paths: { '/x?k=v': { status: 301 } },
  });
  assert.deepEqual(
    [(await lab.curl('chat.example')).status, (await lab.curl('chat.example', { path: '/x?k=v' })).status],
    [503, 301],
  );
  await lab.service('chat.example', { answer: {}, paths: {} });
  assert.ok((await lab.curl('chat.example')).ok);
});

test('services can be added, and given other addresses, while it runs', async () => {
  await lab.service('late.example', { ipv4: ['62.44.0.1'], ipv6: ['2a10:44::1'] });
  assert.equal((await lab.curl('late.example', { family: 4 })).address, '62.44.0.1');
  await lab.censor('late.example', 'rst');
  await lab.service('late.example', { ipv4: ['62.44.0.2'] });
  assert.equal((await lab.curl('late.example', { family: 4 })).reason, 'refused', 'the censor follows the name');
  await lab.censor('late.example', 'none');
  assert.equal((await lab.curl('late.example', { family: 4 })).address, '62.44.0.2');
  assert.equal((await lab.curl('late.example', { family: 6 })).address, '2a10:44::1');
});

test('status tells what is served and what is censored', async () => {
  await lab.censor('video.example', 'stall', { after: 4096 });
  await lab.dns('news.example', { kind: 'shrink', count: 1 });
  const status = await lab.status();
  assert.deepEqual(status.censored, [{ target: 'video.example', kind: 'stall', after: 4096 }]);
  assert.deepEqual(status.dns, { 'news.example': { kind: 'shrink', count: 1 } });
  await lab.censor('video.example', 'none');
  await lab.dns('news.example', { kind: 'normal' });
  assert.deepEqual([(await lab.status()).censored, (await lab.status()).dns], [[], {}]);
});

test('requests that make no sense are refused, and change nothing', async () => {
  await assert.rejects(lab.censor(['video.example', 'nosuch.example'], 'drop'), {
    code: 'lab-target',
    message: /nosuch/,
  });
  await assert.rejects(lab.service('video.example', { ipv4: ['1.2.3.4 }'] }), { code: 'lab-service' });
  await assert.rejects(lab.dns('a b', { kind: 'normal' }), { code: 'lab-target' });
  assert.throws(() => lab.spawn('mars' as 'lan', ['true']), { code: 'lab-host' });
  assert.deepEqual((await lab.status()).censored, []);
  assert.equal(await fetchVideo('https', 4, 'ok'), 'ok');
});
