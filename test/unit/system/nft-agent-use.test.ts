/** What the agent does beyond filling sets: it tells which addresses are in use, and drops connections, where its configuration says so. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import type { AgentConfig, AgentMessage, OwnTableConfig } from '../../../src/system/linux/nft-agent-protocol.ts';
import { parseAgentMessage, parseRequest, requestLine } from '../../../src/system/linux/nft-agent-protocol.ts';
import { runAgentSession } from '../../../src/system/linux/nft-agent-session.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { foreignSetsConfig, ownTableConfig } from '../../fakes/agent-configs.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const own: OwnTableConfig = {
  ...ownTableConfig,
  mask: 0x30000,
  exits: [
    { name: 'near', mark: 0x10000 },
    { name: 'far', mark: 0x20000 },
  ],
  drops: true,
  inUse: true,
  dropConnections: true,
};
const ownTable = { family: 'inet', name: own.name } as const;
const filter = { family: 'inet', name: 'filter' } as const;
const foreign: AgentConfig = {
  ...foreignSetsConfig,
  sets: [
    { name: 'blocked4', type: 'ipv4_addr' },
    { name: 'direct4', type: 'ipv4_addr' },
  ],
  seen: ['noted4'],
  dropConnections: ['blocked4'],
};

function start(config: AgentConfig) {
  const ruleset = new FakeRuleset();
  const [input, output] = [new PassThrough(), new PassThrough()];
  const said: AgentMessage[] = [];
  const dropped: (readonly string[])[] = [];
  let rest = '';
  output.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) said.push(parseAgentMessage(line));
  });
  const failing = { problem: undefined as string | undefined };
  const over = runAgentSession({
    input,
    output,
    clock: new FakeClock(),
    openNft: async () => ruleset.open(),
    openEvents: async () => ruleset.events(),
    openConnections: async () => ({
      drop: async (addresses) => {
        if (failing.problem !== undefined) throw new Error(failing.problem);
        dropped.push([...addresses].sort());
        return addresses.size;
      },
      close: () => {},
    }),
  });
  let id = 0;
  const ask = async (request: Record<string, unknown>): Promise<AgentMessage | undefined> => {
    id += 1;
    const mine = id;
    input.write(`${JSON.stringify({ id: mine, ...request })}\n`);
    await settle();
    return said.find((message) => message.type === 'reply' && message.id === mine);
  };
  const configure = () => ask({ type: 'configure', config, onStop: 'keep' });
  return { ruleset, said, dropped, ask, configure, failing, over, end: () => input.end() };
}

describe('an agent tells what is in use', () => {
  test('of the own table: addresses, each with the seconds since its last packet', async () => {
    const agent = start(own);
    await agent.configure();
    await agent.ask({ type: 'replace', sets: { listed4: ['192.0.2.1', '192.0.2.2'], listed6: ['2001:db8::1'] } });
    agent.ruleset.packet(ownTable, 'seen4', '192.0.2.1', 7);
    agent.ruleset.packet(ownTable, 'seen6', '2001:db8::1', 0);
    const reply = await agent.ask({ type: 'used' });
    assert.deepEqual(reply, {
      type: 'reply',
      id: 3,
      ok: true,
      used: [
        ['192.0.2.1', 7],
        ['2001:db8::1', 0],
      ],
    });
  });

  test('of the administrator`s sets that are named for it, and of no others', async () => {
    const agent = start(foreign);
    await agent.ruleset.open().apply(
      nftScript(
        { op: 'add-table', table: filter },
        { op: 'add-set', table: filter, set: 'blocked4', type: 'ipv4_addr' },
        { op: 'add-set', table: filter, set: 'direct4', type: 'ipv4_addr' },
        ...['noted4', 'other4'].map(
          (set) =>
            ({
              op: 'add-set',
              table: filter,
              set,
              type: 'ipv4_addr',
              filledByPackets: { seconds: 60, most: 9 },
            }) as const,
        ),
      ),
    );
    await agent.configure();
    agent.ruleset.packet(filter, 'noted4', '192.0.2.1', 1);
    agent.ruleset.packet(filter, 'other4', '192.0.2.2', 1);
    assert.deepEqual(await agent.ask({ type: 'used' }), {
      type: 'reply',
      id: 2,
      ok: true,
      used: [['192.0.2.1', 1]],
    });
  });

  test('not where its configuration has nothing of it, nor before it has one', async () => {
    const agent = start({ ...own, inUse: undefined });
    const code = (message: AgentMessage | undefined) =>
      message !== undefined && 'code' in message ? message.code : '';
    assert.equal(code(await agent.ask({ type: 'used' })), 'not-configured');
    await agent.configure();
    assert.equal(code(await agent.ask({ type: 'used' })), 'not-configured');
  });

  test('and its own traffic is excepted before a rule notes it', async () => {
    const agent = start(own);
    await agent.configure();
    await agent.ask({ type: 'replace', sets: {} });
    const rules = (agent.ruleset.applied.at(-1) ?? '').split('\n').filter((line) => line.startsWith('add rule'));
    const output = rules.filter((line) => line.includes(' output '));
    assert.match(output[0] ?? '', /tcp sport 61000-64999 return$/);
    const [noted, exempted] = [/update @seen4/, /sport .* return/].map((sign) =>
      output.findIndex((line) => sign.test(line)),
    );
    assert.ok((noted ?? -1) > (exempted ?? 99), output.join('\n'));
    const forwarded = rules.filter((line) => line.includes(' prerouting '));
    assert.match(forwarded[0] ?? '', /update @seen4/, 'what is dropped is in use, too');
  });
});

describe('an agent drops connections', () => {
  test('to addresses that change their route, after the kernel holds it, and says how many', async () => {
    const agent = start(own);
    await agent.configure();
    await agent.ask({ type: 'replace', sets: { 'blocked4-near': ['192.0.2.1'], listed4: ['192.0.2.1', '192.0.2.2'] } });
    assert.deepEqual(agent.dropped, []);
    const change = { 'blocked4-near': { delete: ['192.0.2.1'] }, 'blocked4-far': { add: ['192.0.2.1'] } };
    await agent.ask({ type: 'update', sets: { ...change, listed4: { add: ['192.0.2.7'] } } });
    await agent.ask({ type: 'update', sets: { drop4: { add: ['192.0.2.2'] } } });
    assert.deepEqual(agent.dropped, [['192.0.2.1'], ['192.0.2.2']]);
    assert.deepEqual(
      agent.said.filter((message) => message.type === 'event' && message.event === 'connections'),
      [1, 1].map((addresses) => ({ type: 'event', event: 'connections', addresses, dropped: addresses })),
    );
  });

  test('of the administrator`s sets just for those that its configuration calls a route', async () => {
    const agent = start(foreign);
    const sets = ['blocked4', 'direct4'].map(
      (set) => ({ op: 'add-set', table: filter, set, type: 'ipv4_addr' }) as const,
    );
    await agent.ruleset.open().apply(nftScript({ op: 'add-table', table: filter }, ...sets));
    await agent.configure();
    await agent.ask({ type: 'replace', sets: {} });
    await agent.ask({ type: 'update', sets: { direct4: { add: ['192.0.2.1'] } } });
    await agent.ask({ type: 'update', sets: { blocked4: { add: ['192.0.2.2'] } } });
    assert.deepEqual(agent.dropped, [['192.0.2.2']]);
  });

  test('never where its configuration does not say so', async () => {
    const agent = start({ ...own, dropConnections: undefined });
    await agent.configure();
    await agent.ask({ type: 'replace', sets: {} });
    await agent.ask({ type: 'update', sets: { 'blocked4-far': { add: ['192.0.2.2'] } } });
    assert.deepEqual(agent.dropped, []);
  });

  test('and where it cannot, it says why, and its sets are as they should be', async () => {
    const agent = start(own);
    agent.failing.problem = 'no conntrack here';
    await agent.configure();
    await agent.ask({ type: 'replace', sets: {} });
    const reply = await agent.ask({ type: 'update', sets: { 'blocked4-far': { add: ['192.0.2.2'] } } });
    assert.deepEqual(reply, { type: 'reply', id: 3, ok: true });
    assert.deepEqual(agent.ruleset.elements(ownTable, 'blocked4-far'), ['192.0.2.2']);
    assert.deepEqual(agent.said.at(-1)?.type === 'event' ? agent.said.at(-1) : agent.said.at(-2), {
      type: 'event',
      event: 'connections',
      addresses: 1,
      problem: 'no conntrack here',
    });
    agent.end();
    await agent.over;
  });
});

describe('the words for it', () => {
  test('come back as they were', () => {
    for (const config of [own, foreign]) {
      const request = { type: 'configure', id: 1, config, onStop: 'keep' } as const;
      const parsed = parseRequest(requestLine(request));
      assert.deepEqual(JSON.parse(JSON.stringify(parsed)), JSON.parse(JSON.stringify(request)));
    }
    assert.deepEqual(parseRequest('{"type":"used","id":4}'), { type: 'used', id: 4 });
  });

  test('are refused where they say more or other than they may', () => {
    const configure = (config: unknown) => JSON.stringify({ type: 'configure', id: 1, config, onStop: 'keep' });
    for (const line of [
      '{"type":"used","id":4,"sets":["filter"]}',
      '{"type":"used"}',
      configure({ ...own, inUse: 1 }),
      configure({ ...own, dropConnections: ['blocked4'] }),
      configure({ ...foreign, seen: ['x; flush ruleset'] }),
      configure({ ...foreign, seen: [['noted4']] }),
      configure({ ...foreign, seen: Array.from({ length: 65 }, () => 's') }),
      configure({ ...foreign, dropConnections: true }),
      configure({ ...foreign, dropConnections: ['elsewhere4'] }),
    ]) {
      assert.throws(() => parseRequest(line), { code: 'agent-message-invalid' }, line);
    }
  });

  test('of the agent are refused by its client, too', () => {
    const reply = (used: unknown) => JSON.stringify({ type: 'reply', id: 1, ok: true, used });
    for (const line of [
      reply('192.0.2.1'),
      reply([['192.0.2.1']]),
      reply([['192.0.2.1', -1]]),
      reply([['192.0.2.1', '7']]),
      reply([['192.0.2.300', 7]]),
      reply([['192.0.2.1', 7, 8]]),
      reply(Array.from({ length: 4097 }, () => ['192.0.2.1', 7])),
      '{"type":"event","event":"connections","addresses":1}',
      '{"type":"event","event":"connections","addresses":-1,"dropped":1}',
      '{"type":"event","event":"connections","addresses":1,"problem":{}}',
    ]) {
      assert.throws(() => parseAgentMessage(line), { code: 'agent-message-invalid' }, line);
    }
  });
});
