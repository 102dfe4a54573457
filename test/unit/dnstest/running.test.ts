/** The module on fakes: status and warnings, reload, restart with its ladder kept, stop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answerer } from '../../../src/dnstest/answer.ts';
import { type DnstestConfig, parseDnstest } from '../../../src/dnstest/config.ts';
import { NameHash } from '../../../src/dnstest/name-hash.ts';
import { RunningDnstest } from '../../../src/dnstest/running.ts';
import { servedZones } from '../../../src/dnstest/serve-zones.ts';
import type { DnstestDetail } from '../../../src/dnstest/status.ts';
import type { ResolverWord } from '../../../src/system/resolver-word.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeCommands } from '../../fakes/fake-commands.ts';
import { FakeDnsListeners } from '../../fakes/fake-dns-listeners.ts';
import { FakeSwitchFiles } from '../../fakes/fake-switch-files.ts';
import { FakeUplink } from '../../fakes/fake-uplink.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { query } from './build-answers.ts';

const minute = 60_000;
const cure = { hook: ['mend'] };

function setUp() {
  const clock = new FakeClock();
  const commands = new FakeCommands();
  const hash = new NameHash('k');
  const store = new MemoryStore();
  const log = new MemoryLog();
  const uplink = new FakeUplink();
  const switches = new FakeSwitchFiles();
  const said: string[] = [];
  const listeners = new FakeDnsListeners();
  const files: Record<string, Buffer> = {};
  const scene = { sick: false };
  let seed = 0;
  const host = {
    clock,
    commands,
    log,
    store,
    uplink,
    switches,
    listeners,
    speaker: { say: (words: readonly ResolverWord[]) => void said.push(words.map(({ right }) => right).join()) },
    files: { read: async (path: string) => files[path] ?? Promise.reject(new Error(`no ${path}`)) },
    tcp: { reaches: () => Promise.resolve(true) },
    // Names that differ from check to check are all that matters here.
    random: (count: number) => Uint8Array.from({ length: count }, () => (seed++ * 7) % 251),
    dns: { exchange: async () => ({ ok: false as const, kind: 'unreachable' as const, detail: 'nothing listens' }) },
    libc: {
      lookup: async (name: string, family: 4 | 6) =>
        scene.sick
          ? { ok: false as const, code: 'EAI_AGAIN', empty: false }
          : { ok: true as const, addresses: [hash.address(name, family)] },
    },
  };
  const configure = (more: Record<string, unknown> = {}): DnstestConfig => {
    const parsed = parseDnstest({
      name: '@.test.example.org',
      hash_key: 'k',
      interval: '1m',
      retries: 2,
      timeout: '10s',
      state: '/state',
      resolver: [{ address: 'system', ...cure }],
      ...more,
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.config;
  };
  const start = (more: Record<string, unknown> = {}): Promise<RunningDnstest> =>
    RunningDnstest.start(configure(more), host, new AbortController().signal);
  return { said, listeners, files, clock, host, commands, scene, log, store, uplink, switches, configure, start };
}

const detailOf = (running: RunningDnstest): DnstestDetail => running.health().detail as DnstestDetail;

test('a resolver that answers right is told as well, with how long it took', async () => {
  const { clock, start } = setUp();
  const running = await start();
  await clock.advance(10 * minute);
  const { summary, warnings, detail } = running.health();
  assert.deepEqual([summary, warnings], ['resolvers: 1 well', []]);
  // JSON values only.
  assert.deepEqual(JSON.parse(JSON.stringify(detail)), detail);
  const [entry] = detailOf(running).resolvers;
  assert.deepEqual([entry?.phase, entry?.checks, entry?.histogram[0]], ['well', 11, 11]);
  await running.stop('shutdown');
  await running.done;
  assert.equal(clock.waiting, 0);
});

test('one that fails is an error with its cures, counted by kind, and in the history', async () => {
  const { clock, scene, commands, log, start } = setUp();
  const running = await start();
  scene.sick = true;
  await clock.advance(3 * minute);
  const { summary, warnings } = running.health();
  assert.equal(summary, 'resolvers: 1 failing');
  assert.deepEqual(
    warnings.map(({ code, subject }) => [code, subject]),
    [['resolver-failing', 'system']],
  );
  assert.match(warnings[0]?.text ?? '', /^the resolver system does not answer right: .*; tried: hook \(mend\)$/);
  assert.deepEqual(
    commands.requests.map(({ argv }) => argv),
    [['mend']],
  );
  const { history, resolvers } = detailOf(running);
  assert.deepEqual(
    history.map(({ kind }) => kind),
    ['failed', 'cure', 'rest'],
  );
  const [failures = 0] = Object.values(resolvers[0]?.failures ?? {});
  assert.ok(failures >= 4, `${failures} failures`);
  assert.equal(log.of('resolver-failed').length, 1);
  scene.sick = false;
  await clock.advance(minute);
  assert.deepEqual(running.health().warnings, []);
  await running.stop('shutdown');
});

test('a network that is down is a warning, not a failure', async () => {
  const { clock, scene, uplink, commands, start } = setUp();
  const running = await start();
  scene.sick = true;
  uplink.down = 'there is no default route';
  await clock.advance(10 * minute);
  const { summary, warnings } = running.health();
  assert.equal(summary, 'resolvers: 1 not judged');
  assert.deepEqual(
    warnings.map(({ text }) => text),
    ['system is not judged: there is no default route'],
  );
  assert.equal(commands.requests.length, 0);
  await running.stop('shutdown');
});

test('a restart of netsteward does not begin with the first cure again', async () => {
  const { clock, scene, commands, start } = setUp();
  scene.sick = true;
  for (let times = 0; times < 5; times += 1) {
    const running = await start();
    await clock.advance(2 * minute);
    await running.stop('shutdown');
  }
  assert.equal(commands.requests.length, 1);
  const running = await start();
  assert.deepEqual(
    detailOf(running)
      .history.slice(0, 2)
      .map(({ kind }) => kind),
    ['failed', 'cure'],
  );
  await clock.advance(20 * minute);
  assert.equal(commands.requests.length, 2);
  await running.stop('shutdown');
});

test('a reload keeps how far up its cures a resolver is; with other cures it begins anew', async () => {
  const { clock, scene, commands, configure, start } = setUp();
  const running = await start();
  scene.sick = true;
  await clock.advance(3 * minute);
  await running.reload(configure());
  await clock.advance(3 * minute);
  assert.deepEqual(
    commands.requests.map(({ argv }) => argv.join()),
    ['mend'],
  );
  await running.reload(configure({ resolver: [{ address: 'system', flush: ['more'], ...cure }] }));
  await clock.advance(3 * minute);
  assert.deepEqual(
    commands.requests.map(({ argv }) => argv.join()),
    ['mend', 'more', 'mend'],
  );
  await running.stop('shutdown');
});

test('a reload that takes a fallback away puts its file back', async () => {
  const { clock, switches, configure, start } = setUp();
  switches.files.set('/f', 'first');
  const resolver = { address: '192.0.2.9', fallback_file: '/f', fallback_content: 'fallback' };
  const running = await start({ resolver: [resolver] });
  await clock.advance(3 * minute);
  assert.equal(switches.files.get('/f'), 'fallback');
  assert.deepEqual(
    running.health().warnings.map(({ code }) => code),
    ['resolver-failing', 'resolver-fallback'],
  );
  await running.reload(configure({ resolver: [resolver] }));
  assert.equal(switches.files.get('/f'), 'fallback');
  await running.reload(configure());
  assert.equal(switches.files.get('/f'), 'first');
  await running.stop('shutdown');
});

test('a reload that cannot open its state file leaves the old configuration in force', async () => {
  const { clock, configure, start } = setUp();
  const running = await start();
  await assert.rejects(running.reload(configure({ state: '/nowhere/db' })), { code: 'state-file-unusable' });
  await clock.advance(5 * minute);
  assert.equal(detailOf(running).resolvers[0]?.checks, 6);
  await running.stop('shutdown');
});

test('a state file that cannot be written is a warning, and the watch goes on', async () => {
  const { clock, scene, store, commands, start } = setUp();
  const running = await start();
  await clock.advance(minute);
  store.failWrites({ errcode: 13, message: 'database or disk is full' });
  scene.sick = true;
  await clock.advance(3 * minute);
  assert.deepEqual(
    running.health().warnings.map(({ code }) => code),
    ['resolver-failing', 'dnstest-state-not-saved'],
  );
  assert.equal(commands.requests.length, 1);
  store.failWrites(undefined);
  await clock.advance(20 * minute);
  assert.deepEqual(
    running.health().warnings.map(({ code }) => code),
    ['resolver-failing'],
  );
  await running.stop('shutdown');
});

test('the file of another program is left as it is', async () => {
  const { store, start } = setUp();
  const other = store.open('/state');
  other.exec('PRAGMA application_id = 1; CREATE TABLE theirs (x)');
  other.close();
  await assert.rejects(start(), { code: 'watch-state-foreign' });
  assert.equal(store.opened, 0);
});

test('what nobody foresaw ends the module, for the supervisor to start it again, and leaves nothing running', async () => {
  const { clock, host, start } = setUp();
  const running = await start();
  host.libc.lookup = () => Promise.reject(new Error('a defect'));
  await clock.advance(2 * minute);
  await assert.rejects(running.done, /a defect/);
  await running.stop('restart');
  assert.equal(clock.waiting, 0);
});

test('each check is a line that the history counts: resolver, outcome and milliseconds', async () => {
  const { clock, scene, log, start } = setUp();
  const running = await start();
  await clock.advance(minute);
  scene.sick = true;
  await clock.advance(minute);
  const lines = log.of('resolver-checked').map(({ fields }) => [fields.resolver, fields.outcome, typeof fields.ms]);
  assert.deepEqual(lines.slice(0, 3), [
    ['system', 'ok', 'number'],
    ['system', 'ok', 'number'],
    ['system', 'servfail', 'number'],
  ]);
  await running.stop('shutdown');
});

const zone = { bind: ['192.0.2.1', '[2001:db8::1]:5353'], zones: ['test.example.org'], hash_key_file: '/key' };

test('the zone’s server comes, changes and goes with reloads, and answers with the key of its file', async () => {
  const { listeners, files, configure, start } = setUp();
  files['/key'] = Buffer.from('k\n');
  const running = await start({ serve: zone, resolver: [], name: undefined });
  assert.equal(running.health().summary, 'serves at 192.0.2.1:53, 2001:db8::1:5353');
  const asked = query('a.test.example.org', 'A');
  const answer = listeners.opened[0]?.listener.answer(asked, 'udp');
  assert.deepEqual(
    answer,
    new Answerer({ hash: new NameHash('k'), ttl: 300, zones: servedZones(zone.zones, [], []) }).answer(asked, 'udp'),
  );
  assert.deepEqual(detailOf(running).serve, {
    zones: ['test.example.org'],
    at: ['192.0.2.1:53', '2001:db8::1:5353'],
    answered: { udp: 1, tcp: 0 },
    silent: 0,
  });
  await running.reload(configure({ serve: { ...zone, bind: ['192.0.2.1'] } }));
  assert.deepEqual(listeners.openPorts(), [53]);
  assert.equal(running.health().summary, 'resolvers: 1 unknown; serves at 192.0.2.1:53');
  await running.reload(configure());
  assert.deepEqual([listeners.openPorts(), detailOf(running).serve], [[], null]);
  await running.reload(configure({ serve: zone }));
  assert.deepEqual(listeners.openPorts(), [53, 5353]);
  await running.stop('shutdown');
  assert.deepEqual(listeners.openPorts(), []);
});

test('a key that cannot be read, or an address that is taken, leaves what runs in force, or nothing behind', async () => {
  const { listeners, files, store, log, configure, start } = setUp();
  await assert.rejects(start({ serve: zone }), {
    code: 'dnstest-key-file',
    message: /^\/key, .* cannot be read: no \/key$/,
  });
  files['/key'] = Buffer.from('k');
  await assert.rejects(start({ serve: { ...zone, bind: ['192.0.2.1', '192.0.2.1:1'] } }), { code: 'dns-not-bound' });
  assert.deepEqual([listeners.openPorts(), store.opened], [[], 0]);
  const running = await start({ serve: { ...zone, bind: ['::'] } });
  assert.equal(log.of('dnstest-wildcard').length, 1);
  await assert.rejects(running.reload(configure({ serve: { ...zone, bind: ['::', '[::1]:1'] } })));
  for (const text of ['', 'a\nb', 'k'.repeat(33)]) {
    files['/key'] = Buffer.from(text);
    await assert.rejects(running.reload(configure({ serve: zone })), /hash key/);
  }
  assert.deepEqual([listeners.openPorts(), store.opened], [[53], 1]);
  await running.stop('shutdown');
});

test('a socket of the zone’s server that fails ends the module, for the supervisor to start it again', async () => {
  const { listeners, start } = setUp();
  const running = await start({ serve: { zones: ['x'] } });
  listeners.opened[0]?.listener.failed(new Error('gone'));
  await assert.rejects(running.done, /gone/);
  await running.stop('restart');
});

test('others are told whether names can be believed: right, in doubt, failing, not judged, and no more when it stops', async () => {
  const { clock, scene, uplink, said, start } = setUp();
  const running = await start();
  await clock.advance(0);
  scene.sick = true;
  await clock.advance(3 * minute);
  uplink.down = 'there is no default route';
  await clock.advance(minute);
  await running.stop('shutdown');
  const changes = said.filter((word, index) => index === 0 || word !== said[index - 1]);
  assert.deepEqual(changes, ['true', '', 'false', '']);
});
