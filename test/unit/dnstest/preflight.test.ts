/** What `netsteward check --host` says of dnstest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDnstest } from '../../../src/dnstest/config.ts';
import { preflight } from '../../../src/dnstest/preflight.ts';
import type { LowPorts } from '../../../src/system/dns-listen-ports.ts';

async function said(
  table: Record<string, unknown>,
  machine: {
    readonly failing?: readonly string[];
    readonly readOnly?: readonly string[];
    readonly ports?: Partial<LowPorts>;
  } = {},
): Promise<string[]> {
  const { failing = [], readOnly = [], ports = {} } = machine;
  const parsed = parseDnstest({ name: '@.test', control: '192.0.2.1', resolver: [{ address: '127.0.0.1' }], ...table });
  assert.ok(parsed.ok);
  const findings = await preflight(parsed.config, {
    commands: {
      run: async ({ argv }) => (failing.includes(argv.join(' ')) ? { ok: false, reason: 'it failed' } : { ok: true }),
    },
    files: {
      stat: async () => undefined,
      read: () => Promise.reject(new Error('nothing is read')),
      writable: async (path) => !readOnly.includes(path),
    },
    lowPorts: async () => ({ first: 1024, may: true, unitMay: undefined, ...ports }),
  });
  for (const { severity, remedy } of findings) assert.equal(remedy === undefined, severity === 'ok');
  return findings.map(({ severity, text }) => `${severity}: ${text}`);
}

const resolver = { address: '127.0.0.1', restart: 'unbound.service', fallback_file: '/f', fallback_content: 'x' };

test('a machine that has all is fine', async () => {
  assert.deepEqual(await said({ resolver: [resolver], guard: { ping: ['192.0.2.1'] } }), [
    'ok: 1 resolver(s) to watch, 2 cure(s)',
  ]);
});

test('what is lacking is named', async () => {
  const lacking = { failing: ['fping -v', 'systemctl cat -- unbound.service'], readOnly: ['/f', '/state'] };
  assert.deepEqual(await said({ resolver: [resolver], guard: { ping: ['192.0.2.1'] }, state: '/state' }, lacking), [
    'error: fping cannot be run: its hosts guard nothing',
    'error: /state cannot be written',
    'error: 127.0.0.1: there is no unit unbound.service',
    'error: 127.0.0.1: /f cannot be replaced',
    'ok: 1 resolver(s) to watch, 2 cure(s)',
  ]);
});

test('a watch without control, and a fallback without a file, are warned of', async () => {
  const half = { address: '127.0.0.1', fallback_resolver: '192.0.2.53' };
  assert.deepEqual(await said({ control: undefined, resolver: [half] }), [
    'warning: without the zone’s own server, a test zone that is down counts against every resolver',
    'warning: 127.0.0.1: there is no file to switch to its fallback',
    'ok: 1 resolver(s) to watch, 0 cure(s)',
  ]);
});

test('a port that needs a right is told of where the right is lacking, here or in the unit', async () => {
  const served = async (bind: readonly string[], ports: Partial<LowPorts>): Promise<string[]> =>
    (await said({ serve: { zones: ['test'], hash_key: 'key', bind } }, { ports })).slice(0, -1);
  assert.deepEqual(await served(['192.0.2.1'], { may: false }), [
    'error: this process may not bind port 53: those below 1024 need CAP_NET_BIND_SERVICE',
  ]);
  assert.deepEqual(await served(['192.0.2.1', '192.0.2.2', '192.0.2.2:443'], { unitMay: false }), [
    'warning: netsteward.service may not bind ports 53, 443: those below 1024 need CAP_NET_BIND_SERVICE',
  ]);
  assert.deepEqual(await served(['192.0.2.1:5353'], { may: false, unitMay: false }), []);
  assert.deepEqual(await served(['192.0.2.1'], { first: 53, may: false, unitMay: false }), []);
  assert.deepEqual(await served(['192.0.2.1'], { unitMay: true }), []);
});
