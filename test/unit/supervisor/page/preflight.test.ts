/** What `netsteward check --host` says of the status page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigTable } from '../../../../src/core/module.ts';
import { type PagePreflightHost, pageModule } from '../../../../src/supervisor/page/index.ts';

const fit: PagePreflightHost = {
  assets: async () => new Map([['/', { type: 'text/html', bytes: Buffer.from('') }]]),
  readSecret: async () => ({ text: 'a-token-of-20-letters', mode: 0o100600 }),
  groupId: async () => 4,
  whyNot: async () => undefined,
  writable: async () => true,
};

async function found(table: ConfigTable, host: Partial<PagePreflightHost> = {}): Promise<readonly string[]> {
  const parsed = await pageModule.parse(table);
  assert.ok(parsed.ok);
  const findings = await pageModule.preflight(parsed.config, { ...fit, ...host });
  assert.ok(findings.every(({ severity, remedy }) => severity === 'ok' || remedy !== undefined));
  return findings.map(({ severity, text }) => `${severity} ${text}`);
}

test('where it will listen is said, and that somebody may ask for checks', async () => {
  assert.deepEqual(await found({}), ['ok will listen on unix:/run/netsteward/page.sock']);
  assert.deepEqual(await found({ listen: '127.0.0.1:8053', token_file: '/t' }), [
    'ok will listen on 127.0.0.1:8053, with "check now" for who has the token',
  ]);
});

test('each thing that stands against it is an error of its own', async () => {
  const errors = await found(
    { group: 'nobody-knows', token_file: '/t' },
    {
      writable: async () => false,
      groupId: async () => undefined,
      readSecret: async () => ({ text: 'a-token-of-20-letters', mode: 0o100644 }),
    },
  );
  assert.deepEqual(errors.slice(0, -1), [
    'error /run/netsteward/page.sock cannot be made',
    'error there is no group nobody-knows',
    "error /t, which should have the page's token, can be read by everybody",
  ]);
  const [first] = await found({ listen: '127.0.0.1:1' }, { whyNot: async () => 'permission denied' });
  assert.equal(first, 'error 127.0.0.1:1 cannot be listened on: permission denied');
});

test('a page without its files, and one that other machines reach, are warnings', async () => {
  const remote = { listen: '0.0.0.0:8053', allow_remote: true, token_file: '/t' };
  const [files, reach] = await found(remote, { assets: async () => new Map() });
  assert.match(files ?? '', /^warning the files of the status page are missing/);
  assert.match(reach ?? '', /^warning 0\.0\.0\.0:8053 can be reached from other machines/);
});
