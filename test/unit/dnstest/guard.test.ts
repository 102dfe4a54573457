/** The guard: when the network counts as down, and that one host that answers is proof enough. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GuardSettings, networkState } from '../../../src/dnstest/guard.ts';
import type { CommandOutcome } from '../../../src/system/ports.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';

const none: GuardSettings = { uplink: true, ping: [], tcp: [], timeout: 5000 };
const silent: CommandOutcome = { ok: false, reason: 'fping: ended with code 1', code: 1 };

function machine(reachable: readonly string[] = []) {
  const uplink = new FakeUplink();
  const commands = new FakeCommands();
  const tried: string[] = [];
  const reaches = async (address: string, port: number): Promise<boolean> => {
    tried.push(`${address} ${port}`);
    return reachable.includes(address);
  };
  const ports = { uplink, commands, tcp: { reaches } };
  return {
    ...ports,
    tried,
    ask: (settings: GuardSettings, within?: number) =>
      networkState(settings, ports, new AbortController().signal, within),
  };
}

test('without a default route the network is down, and no host is asked', async () => {
  const { uplink, commands, ask } = machine();
  uplink.down = 'there is no default route';
  assert.deepEqual(await ask({ ...none, ping: ['192.0.2.1'] }), { up: false, reason: 'there is no default route' });
  assert.equal(commands.requests.length, 0);
});

test('a machine that needs no uplink is not asked for one', async () => {
  const { uplink, ask } = machine();
  uplink.down = 'there is no default route';
  assert.deepEqual(await ask({ ...none, uplink: false }), { up: true });
});

test('fping asks each host, quietly, as the original does', async () => {
  const { commands, ask } = machine();
  assert.deepEqual(await ask({ ...none, ping: ['192.0.2.1'] }), { up: true });
  assert.deepEqual(
    commands.requests.map(({ argv }) => argv),
    [['fping', '-q', '--', '192.0.2.1']],
  );
});

test('the network is down when no host answers, by ping or TCP, and all are named', async () => {
  const { commands, tried, ask } = machine();
  commands.outcome = silent;
  const state = await ask({ ...none, ping: ['192.0.2.1'], tcp: [{ address: '192.0.2.2', port: 443 }] });
  assert.deepEqual(state, { up: false, reason: '192.0.2.1, 192.0.2.2 port 443 do not answer' });
  assert.deepEqual(tried, ['192.0.2.2 443']);
});

test('one host that answers is proof', async () => {
  const { commands, ask } = machine(['192.0.2.3']);
  commands.outcome = silent;
  const tcp = ['192.0.2.2', '192.0.2.3'].map((address) => ({ address, port: 443 }));
  assert.deepEqual(await ask({ ...none, ping: ['192.0.2.1'], tcp }), { up: true });
});

test('an fping that cannot ask says nothing: the watchdog is not kept from acting', async () => {
  const { commands, ask } = machine();
  const cannot: readonly CommandOutcome[] = [
    { ok: false, reason: 'fping: spawn fping ENOENT' },
    { ok: false, reason: 'fping: did not end within 5 s' },
    { ok: false, reason: 'fping: ended with code 3', code: 3 },
    { ok: false, reason: 'fping: ended with code 4: can’t create socket', code: 4 },
  ];
  for (const outcome of cannot) {
    commands.outcome = outcome;
    assert.deepEqual(await ask({ ...none, ping: ['192.0.2.1'] }), { up: true });
    const withTcp = await ask({ ...none, ping: ['192.0.2.1'], tcp: [{ address: '192.0.2.2', port: 443 }] });
    assert.equal(withTcp.up, false);
  }
});

test('a host that has no address, or does not answer, is one that does not answer', async () => {
  const { commands, ask } = machine();
  for (const code of [1, 2]) {
    commands.outcome = { ok: false, reason: `fping: ended with code ${code}`, code };
    assert.deepEqual(await ask({ ...none, ping: ['192.0.2.1'] }), { up: false, reason: '192.0.2.1 does not answer' });
  }
});

test('in a hurry fping has shorter tries, which end before its time does', async () => {
  const { commands, ask } = machine();
  await ask({ ...none, ping: ['192.0.2.1'] }, 60_000);
  await ask({ ...none, ping: ['192.0.2.1'] }, 2000);
  const [patient, hurried] = commands.requests;
  assert.deepEqual([patient?.argv, patient?.timeout], [['fping', '-q', '--', '192.0.2.1'], 5000]);
  assert.deepEqual([hurried?.argv, hurried?.timeout], [['fping', '-q', '-t', '209', '--', '192.0.2.1'], 2000]);
  assert.ok(209 * (1 + 1.5 + 1.5 ** 2 + 1.5 ** 3) < 2000);
});
