/** The client of nft-agent: what it sends, when it starts another agent, whom it answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { NftAgentClient } from '../../../src/system/linux/nft-agent-client.ts';
import type { OwnTableConfig } from '../../../src/system/linux/nft-agent-protocol.ts';
import { plainTableConfig } from '../../fakes/agent-configs.ts';
import { FakeClock, settle } from '../../fakes/fake-clock.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';
import { FakeAgents } from '../../fakes/fake-nft-agent.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const config: OwnTableConfig = { ...plainTableConfig, mark: 1, mask: 1 };
const table = { family: 'inet', name: config.name } as const;

function bench() {
  const [ruleset, clock, log] = [new FakeRuleset(), new FakeClock(), new MemoryLog()];
  ruleset.known = new Set(['owner']);
  const agents = new FakeAgents(ruleset, clock);
  let statuses = 0;
  const onStatus = (): void => {
    statuses += 1;
  };
  const make = () => new NftAgentClient({ open: agents.open, config, onStop: 'keep', clock, log, onStatus });
  return { ruleset, clock, log, agents, make, statuses: () => statuses };
}

const four = (...addresses: string[]) => new Map([['blocked4', new Set(addresses)]]);
const kinds = (requests: readonly string[]): readonly unknown[] =>
  requests.map((line) => (JSON.parse(line) as { type: unknown }).type);

test('it configures, then sends everything once, and deltas from then on', async () => {
  const { agents, make } = bench();
  const client = make();
  await client.hold(four('192.0.2.1', '192.0.2.2'));
  await client.hold(four('192.0.2.2', '192.0.2.3'));
  await client.hold(four('192.0.2.2', '192.0.2.3'));
  await client.hold(new Map());
  assert.deepEqual(kinds(agents.requests), ['configure', 'replace', 'update', 'update']);
  assert.deepEqual(JSON.parse(agents.requests[2] ?? '').sets, {
    blocked4: { add: ['192.0.2.3'], delete: ['192.0.2.1'] },
  });
  assert.deepEqual(JSON.parse(agents.requests[3] ?? '').sets, {
    blocked4: { add: [], delete: ['192.0.2.2', '192.0.2.3'] },
  });
  await client.close('flush');
});

test('holds that wait for a reply are folded into one request', async () => {
  const { agents, make } = bench();
  const client = make();
  await client.hold(four());
  const before = agents.requests.length;
  await Promise.all(Array.from({ length: 30 }, (_, i) => client.hold(four(`192.0.2.${i}`))));
  assert.equal(agents.requests.length, before + 2);
  await client.close('keep');
});

test('when the agent dies, who waits is told, another one starts after a delay and gets everything', async () => {
  const { agents, make, ruleset, clock, log } = bench();
  const client = make();
  await client.hold(four('192.0.2.1'));
  await agents.kill();
  await settle();
  assert.equal(client.status().connected, false);
  assert.match(client.status().lastError ?? '', /SIGKILL/);
  assert.deepEqual(ruleset.elements(table, 'blocked4'), []);
  const held = client.hold(four('192.0.2.2'));
  await clock.advance(100);
  await held;
  assert.equal(agents.started, 2);
  assert.deepEqual(ruleset.elements(table, 'blocked4'), ['192.0.2.2']);
  assert.deepEqual(kinds(agents.requests).slice(-2), ['configure', 'replace']);
  assert.equal(client.status().lastError, undefined);
  assert.equal(log.of('nft-agent-ended').length, 1);
  const again = client.hold(four('192.0.2.3'));
  const dead = assert.rejects(again, { code: 'agent-unavailable' });
  await agents.kill();
  await dead;
  await clock.advance(100);
  assert.deepEqual(ruleset.elements(table, 'blocked4'), ['192.0.2.3']);
  await client.close('flush');
});

test('without nft it says so, and tries ever more seldom until it is there', async () => {
  const { agents, make, clock, ruleset } = bench();
  agents.openFailure = new NetstewardError('nft-missing', 'nftables is not installed', { remedy: 'Install it.' });
  const client = make();
  await assert.rejects(client.hold(four('192.0.2.1')), { code: 'nft-missing', remedy: 'Install it.' });
  await clock.advance(60_000);
  assert.ok(agents.started > 5 && agents.started < 20, String(agents.started));
  assert.equal(client.status().lastError, 'nftables is not installed (Install it.)');
  agents.openFailure = undefined;
  await clock.advance(10_000);
  assert.deepEqual(ruleset.elements(table, 'blocked4'), ['192.0.2.1']);
  assert.equal(client.status().connected, true);
  await client.close('flush');
});

test('an agent that does not end is killed after five seconds', async () => {
  const clock = new FakeClock();
  const log = new MemoryLog();
  let killed = 0;
  const client = new NftAgentClient({
    open: (listener) => ({
      send: () => {},
      end: () => {},
      kill: () => {
        killed += 1;
        listener.closed('killed');
      },
    }),
    config,
    onStop: 'keep',
    clock,
    log,
  });
  const held = assert.rejects(client.hold(four()), { code: 'agent-closed' });
  const closed = client.close('flush');
  await clock.advance(4999);
  assert.equal(killed, 0);
  await clock.advance(1);
  await closed;
  await held;
  assert.equal(killed, 1);
  assert.equal(clock.waiting, 0);
});

test('an agent that talks nonsense is killed and replaced', async () => {
  const clock = new FakeClock();
  let started = 0;
  let killed = 0;
  const client = new NftAgentClient({
    open: (listener) => {
      started += 1;
      return {
        send: () => setImmediate(() => listener.line('{"type":"reply","id":"one"}')),
        end: () => setImmediate(() => listener.closed('ended')),
        kill: () => {
          killed += 1;
          listener.closed('killed');
        },
      };
    },
    config,
    onStop: 'keep',
    clock,
    log: new MemoryLog(),
  });
  await assert.rejects(client.hold(four()), { code: 'agent-unavailable' });
  await clock.advance(100);
  await settle();
  assert.deepEqual([started, killed], [2, 2]);
  await client.close('keep');
});

test('closing with keep tells that an owner table ends with its process', async () => {
  const { make, log, ruleset, statuses } = bench();
  const client = make();
  await client.hold(four('192.0.2.1'));
  assert.equal(client.status().table, 'owner');
  assert.ok(statuses() > 0);
  await client.close('keep');
  await settle();
  assert.equal(log.of('nft-table-ends').length, 1);
  assert.equal(ruleset.tables.size, 0);
  assert.equal(client.status().connected, false);
});

test('an agent that never answers is killed, said so, and another one gets everything', async () => {
  const clock = new FakeClock();
  const channels: { sent: string[]; killed: boolean }[] = [];
  const client = new NftAgentClient({
    open: (listener) => {
      const channel = { sent: [] as string[], killed: false };
      channels.push(channel);
      return {
        send: (line) => channel.sent.push(line),
        end: () => {},
        kill: () => {
          channel.killed = true;
          listener.closed('killed');
        },
      };
    },
    config,
    onStop: 'keep',
    clock,
    log: new MemoryLog(),
  });
  await clock.advance(14_999);
  assert.equal(channels[0]?.killed, false);
  await clock.advance(1);
  assert.equal(channels[0]?.killed, true);
  assert.match(client.status().lastError ?? '', /does not answer/);
  await clock.advance(1000);
  assert.equal(channels.length, 2);
  assert.match(channels[1]?.sent[0] ?? '', /"configure"/);
});

test('what is to become of the sets when this process dies can change at any time, and the next agent knows it too', async () => {
  const { agents, make, ruleset, clock } = bench();
  const client = make();
  const held = client.hold(four('192.0.2.1'));
  client.setOnStop('flush');
  await held;
  await settle();
  client.setOnStop('flush');
  assert.deepEqual(new Set(kinds(agents.requests)), new Set(['configure', 'replace', 'on-stop']));
  assert.equal(agents.requests.length, 3);
  assert.equal(JSON.parse(agents.requests.find((line) => line.includes('on-stop')) ?? '{}').mode, 'flush');
  await agents.kill();
  client.setOnStop('keep');
  await clock.advance(100);
  const again = JSON.parse(agents.requests.findLast((line) => line.includes('configure')) ?? '{}') as {
    onStop: string;
  };
  assert.equal(again.onStop, 'keep');
  assert.deepEqual(ruleset.elements(table, 'blocked4'), ['192.0.2.1']);
  await client.close('keep');
});

test('what is in use is asked for after the sets are filled, also of an agent that was started again', async () => {
  const { agents, clock, log, ruleset } = bench();
  const inUse = { ...config, inUse: true };
  const client = new NftAgentClient({ open: agents.open, config: inUse, onStop: 'keep', clock, log });
  const [, used] = await Promise.all([client.hold(new Map([['listed4', new Set(['192.0.2.1'])]])), client.used()]);
  assert.deepEqual(used, new Map());
  ruleset.packet(table, 'seen4', '192.0.2.1', 5);
  assert.deepEqual(await client.used(), new Map([['192.0.2.1', 5]]));
  await agents.kill();
  await settle();
  await assert.rejects(client.used(), { code: 'agent-unavailable' });
  await clock.advance(100);
  assert.deepEqual(await client.used(), new Map());
  assert.deepEqual(kinds(agents.requests), ['configure', 'replace', 'used', 'used', 'configure', 'replace', 'used']);
  await client.close('flush');
  await assert.rejects(client.used(), { code: 'agent-closed' });
});

test('what is in use is told, too, while the sets are refused', async () => {
  const { agents, clock, log, ruleset } = bench();
  const inUse = { ...config, inUse: true };
  const client = new NftAgentClient({ open: agents.open, config: inUse, onStop: 'keep', clock, log });
  await client.hold(new Map());
  const refused = client.hold(new Map([['elsewhere', new Set(['192.0.2.1'])]]));
  const asked = client.used();
  await assert.rejects(refused, { code: 'set-unknown' });
  ruleset.packet(table, 'seen4', '192.0.2.1', 5);
  await asked;
  assert.deepEqual(await client.used(), new Map([['192.0.2.1', 5]]));
  await client.close('flush');
});

test('an agent that cannot tell what is in use says so to everybody who asks', async () => {
  const { make } = bench();
  const client = make();
  await client.hold(four());
  for (const outcome of await Promise.allSettled([client.used(), client.used()])) {
    assert.equal(outcome.status === 'rejected' && (outcome.reason as NetstewardError).code, 'not-configured');
  }
  await client.close('flush');
});
