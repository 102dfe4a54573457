/** nft-agent as a child process against the real kernel: owned table, refills, crashes, hostile input. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { spawnedAgent } from '../../src/system/linux/nft-agent-channel.ts';
import { NftAgentClient } from '../../src/system/linux/nft-agent-client.ts';
import type { ForeignSetsConfig, OnStop, OwnTableConfig } from '../../src/system/linux/nft-agent-protocol.ts';
import { openNft } from '../../src/system/linux/nft-open.ts';
import { nftScript } from '../../src/system/nft-script.ts';
import { foreignSetsConfig, ownTableConfig } from '../fakes/agent-configs.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { eventually } from '../system/eventually.ts';
import { agentCommand } from './nft-agent-entry.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const command = [...agentCommand, '--supervised'];

const foreign = foreignSetsConfig;
const own: OwnTableConfig = { ...ownTableConfig, exemptUid: 998, never: ['9.9.9.9'] };
const administrators =
  'table inet filter { set blocked4 { type ipv4_addr; }; set blocked6 { type ipv6_addr; }; chain forward { type filter hook forward priority 0; ip daddr @blocked4 counter; }; }';

const nft = (...words: string[]): string => execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' });

function elements(set: string, table: string = own.name): readonly string[] | 'missing' {
  try {
    const listing = JSON.parse(nft('-j', 'list', 'set', 'inet', table, set)) as {
      nftables: { set?: { elem?: string[] } }[];
    };
    return listing.nftables.flatMap((entry) => entry.set?.elem ?? []).sort();
  } catch {
    return 'missing';
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function client(
  config: OwnTableConfig | ForeignSetsConfig,
  onStop: OnStop = 'keep',
): { sets: NftAgentClient; log: MemoryLog } {
  const log = new MemoryLog();
  return { sets: new NftAgentClient({ open: spawnedAgent(command), config, onStop, clock: systemClock, log }), log };
}

/** Children of this process that are agents. */
function agentPids(): readonly number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  return children
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--supervised'))
    .map(Number);
}

const four = (...addresses: string[]): ReadonlyMap<string, Set<string>> => new Map([['blocked4', new Set(addresses)]]);

/** An agent without a client: what it says to these lines until its input ends. */
async function converse(
  lines: readonly (string | Buffer)[],
): Promise<{ code: number | null; said: Record<string, unknown>[] }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stdin.on('error', () => {});
  for (const line of lines) child.stdin.write(line);
  child.stdin.end();
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const said = output.split('\n').filter((line) => line !== '');
  return { code, said: said.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const request = (fields: Record<string, unknown>): string => `${JSON.stringify(fields)}\n`;

if (!insideNamespace) {
  test('nft-agent keeps sets in a real kernel (in a namespace)', (t) => repeatInNamespace(t, import.meta.url));
} else {
  test('the own table marks forwarded and own traffic to its sets, with the exceptions first', async () => {
    const { sets } = client(own);
    await sets.hold(new Map([...four('127.0.0.2', '9.9.9.9'), ['blocked6', new Set(['2001:db8::2'])]]));
    const listed = nft('list', 'table', 'inet', own.name).replace(/\s+/g, ' ');
    assert.match(listed, /flags owner/);
    assert.match(listed, /set blocked4 \{ type ipv4_addr elements = \{ 127\.0\.0\.2 \} \}/);
    assert.match(listed, /set blocked6 \{ type ipv6_addr elements = \{ 2001:db8::2 \} \}/);
    const marks =
      'ip daddr @blocked4 meta mark set meta mark \\| 0x00010000 ip6 daddr @blocked6 meta mark set meta mark \\| 0x00010000';
    assert.match(listed, new RegExp(`type filter hook prerouting priority mangle; policy accept; ${marks}`));
    const exceptions = 'tcp sport 61000-64999 return udp sport 61000-64999 return meta skuid 998 return';
    assert.match(listed, new RegExp(`type route hook output priority mangle; policy accept; ${exceptions} ${marks}`));

    nft(
      'table inet probe { chain out { type filter hook output priority 0; meta mark & 0x10000 == 0x10000 udp dport 9 counter; }; }',
    );
    for (const [port, address] of [
      [50000, '127.0.0.2'],
      [61000, '127.0.0.2'],
      [50000, '127.0.0.3'],
    ] as const) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(port, resolve));
      await new Promise<void>((resolve) => socket.send('x', 9, address, () => resolve()));
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    }
    assert.match(nft('list', 'table', 'inet', 'probe'), /counter packets 1 /);
    nft('delete table inet probe');
    await sets.close('flush');
    assert.equal(elements('blocked4'), 'missing');
  });

  test('while others flush the ruleset again and again, a reader finds the owned table complete each time', async () => {
    const { sets } = client(own);
    await sets.hold(four('192.0.2.1', '192.0.2.2'));
    const flusher = spawn('bash', [
      '-c',
      'for i in $(seq 40); do nft flush ruleset; nft -f - <<< "flush ruleset; table inet x {}"; done',
    ]);
    let running = true;
    const ended = new Promise<number | null>((resolve) => flusher.on('close', resolve));
    flusher.on('close', () => {
      running = false;
    });
    const reader = await openNft();
    const table = { family: 'inet', name: own.name } as const;
    let reads = 0;
    for (; running; reads++) {
      const listing = await reader.list(nftScript({ op: 'list-set', table, set: 'blocked4' }));
      assert.ok(JSON.stringify(listing).includes('"elem":["192.0.2.'), JSON.stringify(listing));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reader.close();
    assert.equal(await ended, 0);
    assert.ok(reads > 80, `${reads} reads`);
    assert.equal(sets.status().refills, 0);
    await sets.close('flush');
    nft('flush', 'ruleset');
  });

  test("the administrator's sets are right again after each flush and reload, and nothing loops", async () => {
    nft(administrators);
    const { sets } = client(foreign);
    await sets.hold(four('192.0.2.1', '192.0.2.2'));
    for (let round = 0; round < 10; round++) {
      nft('flush', 'ruleset');
      nft(administrators);
      await eventually('refilled', () => elements('blocked4', 'filter').length === 2);
    }
    nft('delete element inet filter blocked4 { 192.0.2.1 }');
    await eventually('deleted element is back', () => elements('blocked4', 'filter').length === 2);
    nft('add element inet filter blocked4 { 192.0.2.99 }');
    await eventually('foreign element is gone', () => !elements('blocked4', 'filter').includes('192.0.2.99'));
    await eventually('all told', () => sets.status().refills >= 12);
    await eventually('no error any more', () => sets.status().lastError === undefined);
    nft('add rule inet filter forward counter');
    await pause(200);
    assert.equal(sets.status().refills, 12);
    await sets.hold(four('192.0.2.2', '192.0.2.3'));
    assert.deepEqual(elements('blocked4', 'filter'), ['192.0.2.2', '192.0.2.3']);
    await sets.close('keep');
    assert.deepEqual(elements('blocked4', 'filter'), ['192.0.2.2', '192.0.2.3']);
    nft('flush', 'ruleset');
  });

  test('a table or set that is missing or of the wrong type is named, with what to do, and found when it comes', async () => {
    const { sets } = client(foreign);
    await assert.rejects(sets.hold(four('192.0.2.1')), { code: 'table-missing', message: /no table inet filter/ });
    nft('table inet filter { set blocked4 { type ipv4_addr; }; }');
    await assert.rejects(sets.hold(four('192.0.2.1')), {
      code: 'set-missing',
      message: /no set blocked6/,
      remedy: /type ipv6_addr/,
    });
    nft('add set inet filter blocked6 { type ipv4_addr; }');
    await assert.rejects(sets.hold(four('192.0.2.1')), { code: 'set-wrong-type', message: /ipv4_addr, not ipv6_addr/ });
    assert.match(sets.status().lastError ?? '', /blocked6/);
    assert.deepEqual(elements('blocked4', 'filter'), []);
    nft('flush ruleset');
    nft(administrators);
    await eventually('filled without being asked again', () => elements('blocked4', 'filter').length === 1);
    await eventually('the error is gone', () => sets.status().lastError === undefined);
    await sets.close('flush');
    assert.deepEqual(elements('blocked4', 'filter'), []);
    nft('flush', 'ruleset');
  });

  for (const config of [own, foreign]) {
    test(`after kill -9 another agent starts and the sets are right again (${config.kind})`, async () => {
      nft(administrators);
      const table = config.kind === 'own' ? own.name : 'filter';
      const { sets } = client(config);
      await sets.hold(four('192.0.2.1', '192.0.2.2'));
      const [before] = agentPids();
      assert.ok(before !== undefined);
      process.kill(before, 'SIGKILL');
      await eventually('its end is seen', () => !sets.status().connected);
      nft('flush ruleset');
      nft(administrators);
      await eventually('the sets are back', () => elements('blocked4', table).length === 2);
      await sets.hold(four('192.0.2.2'));
      assert.deepEqual(elements('blocked4', table), ['192.0.2.2']);
      assert.notEqual(agentPids()[0], before);
      await sets.close('flush');
      assert.deepEqual(agentPids(), []);
      nft('flush', 'ruleset');
    });
  }

  test('five hundred quick changes leave just the last one', async () => {
    const { sets } = client(own);
    const addresses = new Set<string>();
    const holds: Promise<void>[] = [];
    for (let i = 0; i < 500; i++) {
      const address = `10.0.${(i * 7) % 5}.${(i * 13) % 50}`;
      if (!addresses.delete(address)) addresses.add(address);
      holds.push(sets.hold(new Map([['blocked4', addresses]])));
      if (i % 3 === 0) await holds.at(-1);
    }
    await Promise.all(holds);
    assert.deepEqual(elements('blocked4'), [...addresses].sort());
    await sets.close('flush');
  });

  test('more elements than one message carries here (no SO_SNDBUFFORCE in a user namespace) go in all the same', async () => {
    const many = new Set(Array.from({ length: 30_000 }, (_, i) => `2001:db8::${(i + 1).toString(16)}`));
    nft(administrators);
    for (const config of [own, foreign]) {
      const { sets } = client(config);
      await sets.hold(new Map([['blocked6', many]]));
      assert.equal(elements('blocked6', config.kind === 'own' ? own.name : 'filter').length, 30_000);
      await sets.hold(new Map([['blocked6', new Set([...many].slice(20_000))]]));
      assert.equal(elements('blocked6', config.kind === 'own' ? own.name : 'filter').length, 10_000);
      await sets.close('flush');
    }
    nft('flush', 'ruleset');
  });

  test('a rest of an earlier run is replaced; a table of a living process is left alone until that one ends', async () => {
    nft(`table inet ${own.name} { set blocked4 { type ipv4_addr; elements = { 192.0.2.66 }; }; chain output { }; }`);
    const first = client(own);
    await first.sets.hold(four('192.0.2.1'));
    assert.deepEqual(elements('blocked4'), ['192.0.2.1']);
    const second = client(own);
    await assert.rejects(second.sets.hold(four('192.0.2.2')), {
      code: 'table-owned',
      message: /inet netsteward-nbrpc/,
    });
    assert.deepEqual(elements('blocked4'), ['192.0.2.1']);
    await first.sets.close('keep');
    assert.equal(first.log.of('nft-table-ends').length, 1);
    await eventually('the second one takes over', () => elements('blocked4').includes('192.0.2.2'));
    await eventually('and is content', () => second.sets.status().lastError === undefined);
    await second.sets.close('flush');
  });

  test('a table of somebody else that bears the own name is refused, and keeps its rules', async () => {
    for (const [content, named] of [
      ['chain theirs { type filter hook input priority 0; tcp dport 22 accept; }', /the chain theirs/],
      ['set other { type mark; }', /the set other/],
    ] as const) {
      nft(`table inet ${own.name} { ${content}; }`);
      const before = nft('list', 'ruleset');
      const { sets } = client(own);
      await assert.rejects(sets.hold(four('192.0.2.1')), { code: 'table-foreign', message: named });
      assert.equal(nft('list', 'ruleset'), before);
      nft('delete', 'table', 'inet', own.name);
      await eventually('it is made once the name is free', () => elements('blocked4').includes('192.0.2.1'));
      await sets.close('flush');
    }
  });

  test('a set whose elements go by themselves is refused', async () => {
    nft('table inet filter { set blocked4 { type ipv4_addr; timeout 2s; }; set blocked6 { type ipv6_addr; }; }');
    const { sets } = client(foreign);
    await assert.rejects(sets.hold(four('192.0.2.1')), {
      code: 'set-volatile',
      message: /inet filter blocked4.*timeout/,
    });
    await sets.close('keep');
    nft('delete', 'table', 'inet', 'filter');
  });

  for (const onStop of ['keep', 'flush'] as const) {
    test(`when the supervisor dies, the agent ends and leaves the administrator's sets as on_stop says (${onStop})`, async () => {
      nft(administrators);
      const { code, said } = await converse([
        request({ type: 'configure', id: 1, config: foreign, onStop }),
        request({ type: 'replace', id: 2, sets: { blocked4: ['192.0.2.1'] } }),
      ]);
      assert.equal(code, 0);
      assert.deepEqual(said, [
        { type: 'reply', id: 1, ok: true },
        { type: 'event', event: 'table', table: 'foreign' },
        { type: 'reply', id: 2, ok: true },
      ]);
      assert.deepEqual(elements('blocked4', 'filter'), onStop === 'keep' ? ['192.0.2.1'] : []);
      nft('flush', 'ruleset');
    });
  }

  test('hostile requests are refused one by one, and nothing of them reaches nft', async () => {
    nft(administrators);
    const before = nft('list', 'ruleset');
    const hostile = 'x"; flush ruleset; add table inet pwned; #\nflush ruleset';
    const wrong: readonly Record<string, unknown>[] = [
      { type: 'replace', id: 10, sets: {} },
      { type: 'configure', id: 11, config: { ...foreign, table: hostile }, onStop: 'keep' },
      {
        type: 'configure',
        id: 12,
        config: { ...foreign, sets: [{ name: hostile, type: 'ipv4_addr' }] },
        onStop: 'keep',
      },
      { type: 'configure', id: 13, config: { ...foreign, family: `inet ${hostile}` }, onStop: 'keep' },
      { type: 'configure', id: 14, config: { ...own, name: hostile }, onStop: 'keep' },
      { type: 'configure', id: 15, config: { ...own, mark: '1 accept' }, onStop: 'keep' },
      { type: 'configure', id: 16, config: { ...own, more: 1 }, onStop: 'keep' },
      { type: 'configure', id: 17, config: null, onStop: 'keep' },
      { type: 'exec', id: 18, command: 'nft flush ruleset' },
      { type: 'configure', id: 19, config: foreign, onStop: 'keep' },
      { type: 'replace', id: 20, sets: { blocked4: ['192.0.2.1 }; flush ruleset; #'] } },
      { type: 'replace', id: 21, sets: { blocked4: ['192.0.2.0/24'] } },
      { type: 'replace', id: 22, sets: { blocked4: ['2001:db8::1'] } },
      { type: 'replace', id: 23, sets: { [hostile]: ['192.0.2.1'] } },
      { type: 'replace', id: 24, sets: { elsewhere: ['192.0.2.1'] } },
      { type: 'replace', id: 25, sets: { blocked6: ['fe80::1%eth0'] } },
      { type: 'update', id: 26, sets: { blocked4: { add: [1], delete: [] } } },
      { type: 'update', id: 27, sets: [] },
      { type: 'configure', id: 28, config: foreign, onStop: 'keep' },
    ];
    const last = request({ type: 'replace', id: 99, sets: { blocked4: ['192.0.2.1'] } });
    const { code, said } = await converse(['no json\n', '[]\n', '{}\n', ...wrong.map(request), last]);
    assert.equal(code, 0);
    const refused = said.filter((message) => message.ok === false).map(({ id }) => id);
    assert.deepEqual(refused, [10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28]);
    assert.deepEqual(
      said.filter(({ ok }) => ok === true).map(({ id }) => id),
      [19, 99],
    );
    assert.equal(said.filter(({ event }) => event === 'problem').length, 3);
    assert.equal(
      nft('list', 'ruleset'),
      before.replace('type ipv4_addr\n', 'type ipv4_addr\n\t\telements = { 192.0.2.1 }\n'),
    );
    nft('flush', 'ruleset');
  });

  test('an agent that gets garbage, or nothing, on its input ends cleanly', async () => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 89 + (i >> 3)) & 255));
    assert.equal((await converse([noise])).code, 0);
    assert.deepEqual(await converse([]), { code: 0, said: [] });
    const endless = await converse([Buffer.alloc(17 * 1024 * 1024, 'x')]);
    assert.equal(endless.code, 0);
    assert.match(JSON.stringify(endless.said), /longer than 16777216 bytes/);
  });
}
