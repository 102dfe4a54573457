/** DNS of the lab on a real kernel, asked from the LAN with Node's own resolver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labForTests } from './lab-fixture.ts';

const many = Array.from({ length: 60 }, (_, index) => `62.55.0.${index + 1}`);
const lab = await labForTests([
  { name: 'video.example', ipv4: ['62.1.0.1', '62.1.0.2', '62.1.0.3'], ipv6: ['2a10:1f::1'] },
  { name: 'news.example' },
  { name: 'many.example', ipv4: many, ipv6: [] },
]);

const program = `
const { Resolver } = require('node:dns').promises;
const [name, type, server] = process.argv.slice(1);
const resolver = new Resolver({ timeout: 2000, tries: 1 });
resolver.setServers([server]);
resolver.resolve(name, type).then((list) => console.log(list.join(' ')), (error) => console.log(error.code));
`;

/** The addresses in the order of the answer, or c-ares' code. */
async function ask(name: string, type: 'A' | 'AAAA' = 'A', server = lab.resolvers[0] ?? ''): Promise<string> {
  const { stdout, stderr } = await lab.exec('lan', [process.execPath, '-e', program, name, type, server]);
  assert.equal(stderr, '');
  return stdout.trim();
}

test('both resolvers know every service, and nothing else', async () => {
  for (const server of lab.resolvers) {
    const target = server.includes(':') ? `[${server}]` : server;
    assert.equal(await ask('video.example', 'A', target), '62.1.0.1 62.1.0.2 62.1.0.3');
    assert.equal(await ask('VIDEO.example', 'AAAA', target), '2a10:1f::1');
    assert.equal(await ask('nobody.example', 'A', target), 'ENOTFOUND');
  }
});

test('an answer too long for UDP comes over TCP', async () => {
  assert.deepEqual((await ask('many.example')).split(' '), many);
});

test('answers change while it runs', async () => {
  await lab.dns('video.example', { kind: 'addresses', addresses: ['10.0.0.1', '62.7.7.7', '::1'] });
  assert.equal(await ask('video.example'), '10.0.0.1 62.7.7.7');
  await lab.dns('video.example', { kind: 'shrink', count: 1 });
  assert.equal(await ask('video.example'), '62.1.0.1');
  await lab.dns('video.example', { kind: 'rotate', count: 1 });
  const seen = new Set([await ask('video.example'), await ask('video.example'), await ask('video.example')]);
  assert.equal(seen.size, 3, [...seen].join());
  await lab.dns('video.example', { kind: 'junk' });
  assert.match(await ask('video.example'), /62\.1\.0\.1 .*127\.0\.0\.1/);
  const codes = {
    nxdomain: 'ENOTFOUND',
    servfail: 'ESERVFAIL',
    refused: 'EREFUSED',
    empty: 'ENODATA',
    silence: 'ETIMEOUT',
  } as const;
  for (const [kind, code] of Object.entries(codes)) {
    await lab.dns('video.example', { kind: kind as keyof typeof codes });
    assert.equal(await ask('video.example'), code, kind);
    assert.match(await ask('news.example'), /^62\./);
  }
  await lab.dns('video.example', { kind: 'garbage' });
  assert.match(await ask('video.example'), /^E(BADRESP|TIMEOUT|FORMERR)$/);
  await lab.dns('video.example', { kind: 'normal' });
  assert.match(await ask('video.example'), /^62\.1\.0\.1 /);
});

test('the censor forges answers for one name, over UDP and TCP, both resolvers', async () => {
  await lab.censor('many.example', 'dns', { addresses: ['62.66.6.6', '10.6.6.6', '2a10:66::6'] });
  for (const server of lab.resolvers) {
    const target = server.includes(':') ? `[${server}]` : server;
    assert.equal(await ask('many.example', 'A', target), '62.66.6.6 10.6.6.6');
    assert.equal(await ask('many.example', 'AAAA', target), '2a10:66::6');
    assert.equal(await ask('video.example', 'A', target), '62.1.0.1 62.1.0.2 62.1.0.3', 'forwarded as it is');
  }
  await lab.censor('many.example', 'none');
  // Long answers pass the forwarder over TCP while another name is forged.
  await lab.censor('video.example', 'dns');
  assert.deepEqual((await ask('many.example')).split(' '), many);
  assert.equal(await ask('video.example'), '10.66.66.66');
  await lab.censor('video.example', 'none');
});
