/** What `netsteward check --host` says of dyndns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDyndns } from '../../../src/dyndns/config.ts';
import { preflight } from '../../../src/dyndns/preflight.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';
import { FakeZoneFiles } from '../../fakes/fake-zone-files.ts';
import { keyA } from './fixtures.ts';

const buffer = '/proc/sys/net/core/rmem_max';

async function said(zone: string, arrange: (files: FakeFiles) => void): Promise<string[]> {
  const zones = new FakeZoneFiles();
  zones.set('/zone', zone);
  const files = new FakeFiles();
  arrange(files);
  const parsed = parseDyndns({ state: '/state', zone: [{ file: '/zone' }] });
  assert.ok(parsed.ok);
  const findings = await preflight(parsed.config, { zones, files });
  return findings.map(({ severity, text, remedy = '' }) => `${severity}: ${text} → ${remedy}`);
}

const good = `# dynamic: 0 ${keyA.verify.text}\n+a.net:192.0.2.1\n`;

test('a machine with room for packets is fine', async () => {
  assert.deepEqual(await said(good, (files) => files.put(buffer, '4194304\n')), [
    'ok: /zone: 1 block(s) with keys → ',
    'ok: net.core.rmem_max is 4194304 → ',
  ]);
});

test('a receive buffer of stock size is told with how long it lasts and what to set', async () => {
  const [, finding = ''] = await said(good, (files) => files.put(buffer, '212992\n'));
  assert.match(
    finding,
    /^warning: net\.core\.rmem_max is 212992: .* 18 ms of .* → Set net\.core\.rmem_max = 4194304 in/,
  );
});

test('where the setting cannot be seen nothing is said of it', async () => {
  assert.equal((await said(good, () => {})).length, 1);
  assert.equal((await said(good, (files) => files.put(buffer, 'what'))).length, 1);
});

test('a broken line, and files that cannot be written, are told', async () => {
  const lines = await said('# dynamic: 0 broken\n+a.net:192.0.2.1\n', (files) => {
    files.setReadOnly('/zone');
    files.setReadOnly('/state');
  });
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? '', /^warning: \/zone:1: .*netsteward dyndns check \/zone/);
  assert.match(lines[1] ?? '', /^error: \/zone cannot be written/);
  assert.match(lines[2] ?? '', /^error: \/state cannot be written/);
});
