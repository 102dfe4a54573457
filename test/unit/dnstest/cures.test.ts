/** The cures: what each runs, and the fallback with its way back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResult } from '../../../src/dnstest/check-result.ts';
import { applyCure, type Cure, type Fallback, putBack } from '../../../src/dnstest/cures.ts';
import type { CommandOutcome, CommandRequest } from '../../../src/system/ports.ts';
import { FakeSwitchFiles } from '../../fakes/fake-switch-files.ts';

const common = { timeout: 1000, settle: 0 };
const failure = { kind: 'servfail', text: 'asked for x.test, got SERVFAIL\u001b' } as const;
const patient = { resolver: 'udp://127.0.0.1:53', failure };
const right: CheckResult = { at: 0, elapsed: 1, name: 'x.test', failure: undefined, control: undefined };
const { signal } = new AbortController();

function machine(outcomes: Readonly<Record<string, CommandOutcome>> = {}, other: CheckResult = right) {
  const requests: CommandRequest[] = [];
  const asked: string[] = [];
  const switches = new FakeSwitchFiles({ '/etc/resolv.conf': 'nameserver 127.0.0.1\n' });
  const ports = {
    switches,
    commands: {
      run: async (request: CommandRequest): Promise<CommandOutcome> => {
        requests.push(request);
        return outcomes[request.argv.join(' ')] ?? { ok: true };
      },
    },
    checkOther: async (resolver: string): Promise<CheckResult> => {
      asked.push(resolver);
      return other;
    },
  };
  const ran = (): string[] => requests.map(({ argv }) => argv.join(' '));
  return { ports, requests, asked, switches, ran, cure: (cure: Cure) => applyCure(cure, patient, ports, signal) };
}

const fallback: Fallback = {
  kind: 'fallback',
  file: '/etc/resolv.conf',
  content: 'nameserver 192.0.2.53\n',
  command: ['reread'],
  resolver: '192.0.2.53',
  ...common,
};

test('a command knows who is cured of what, in text that is safe to show', async () => {
  const { cure, requests } = machine();
  assert.deepEqual(await cure({ kind: 'flush', command: ['unbound-control', 'flush_zone', 'test'], ...common }), {
    ok: true,
  });
  assert.deepEqual(requests, [
    {
      argv: ['unbound-control', 'flush_zone', 'test'],
      timeout: 1000,
      env: {
        NETSTEWARD_RESOLVER: 'udp://127.0.0.1:53',
        NETSTEWARD_FAILURE: 'servfail',
        NETSTEWARD_REASON: 'asked for x.test, got SERVFAIL\\x1b',
      },
    },
  ]);
});

test('a restart starts a unit that has failed, and leaves one that was stopped', async () => {
  const failed = machine();
  await failed.cure({ kind: 'restart', unit: 'unbound.service', ...common });
  assert.equal(failed.ran().at(-1), 'systemctl restart -- unbound.service');
  const notFailed = machine({ 'systemctl is-failed --quiet -- unbound.service': { ok: false, reason: 'code 1' } });
  await notFailed.cure({ kind: 'restart', unit: 'unbound.service', ...common });
  assert.equal(notFailed.ran().at(-1), 'systemctl try-restart -- unbound.service');
});

test('a fallback that answers right is switched to, and others are made to read the file', async () => {
  const { cure, asked, switches, ran } = machine();
  assert.deepEqual(await cure(fallback), { ok: true });
  assert.deepEqual(asked, ['192.0.2.53']);
  assert.equal(switches.files.get('/etc/resolv.conf'), fallback.content);
  assert.deepEqual(ran(), ['reread']);
});

test('a fallback that fails too is not switched to', async () => {
  const { cure, switches, ran } = machine({}, { ...right, failure });
  const outcome = await cure(fallback);
  assert.match(outcome.ok ? '' : outcome.reason, /^the fallback 192\.0\.2\.53 does not answer right either: asked for/);
  assert.equal(switches.files.get('/etc/resolv.conf'), 'nameserver 127.0.0.1\n');
  assert.deepEqual(ran(), []);
});

test('the way back restores the original, once, and tells the others', async () => {
  const { cure, ports, switches, ran } = machine();
  await cure(fallback);
  assert.deepEqual(await putBack(fallback, patient.resolver, ports, signal), { what: 'done' });
  assert.equal(switches.files.get('/etc/resolv.conf'), 'nameserver 127.0.0.1\n');
  assert.deepEqual(await putBack(fallback, patient.resolver, ports, signal), { what: 'none' });
  assert.deepEqual(ran(), ['reread', 'reread']);
});

test('a file that others have written since is theirs', async () => {
  const { cure, ports, switches } = machine();
  await cure(fallback);
  switches.files.set('/etc/resolv.conf', 'nameserver 198.51.100.1\n');
  assert.deepEqual(await putBack(fallback, patient.resolver, ports, signal), { what: 'left' });
  assert.equal(switches.files.get('/etc/resolv.conf'), 'nameserver 198.51.100.1\n');
});

test('a file that cannot be switched is told with its remedy', async () => {
  const { cure } = machine();
  const outcome = await cure({ ...fallback, file: '/nowhere/x', resolver: undefined });
  assert.match(outcome.ok ? '' : outcome.reason, /^\/nowhere\/x .* \(Name a file that is there/);
});
