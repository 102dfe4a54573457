/** The port AddressSets: one suite for the fake, for the client on a fake ruleset, and for real agents on both kinds of home. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { spawnedAgent } from '../../src/system/linux/nft-agent-channel.ts';
import { NftAgentClient } from '../../src/system/linux/nft-agent-client.ts';
import type { AgentConfig } from '../../src/system/linux/nft-agent-protocol.ts';
import type { AddressSets } from '../../src/system/ports.ts';
import { foreignSetsConfig, ownTableConfig } from '../fakes/agent-configs.ts';
import { FakeAddressSets } from '../fakes/fake-address-sets.ts';
import { FakeRuleset } from '../fakes/fake-nft.ts';
import { FakeAgents } from '../fakes/fake-nft-agent.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { agentCommand } from '../kernel/nft-agent-entry.ts';
import { insideNamespace, repeatInNamespace } from '../kernel/nft-namespace.ts';

interface Subject {
  readonly sets: AddressSets;
  /** What is really there, sorted. */
  readonly elements: (set: string) => readonly string[];
  /** From now on contents cannot be applied. */
  readonly spoil: () => void;
  readonly mend: () => void;
  /** Sends a packet to the address, whatever becomes of it; absent: these sets do not tell what is in use. */
  readonly packet?: (address: string) => Promise<void>;
}

const four = ['192.0.2.1', '192.0.2.2', '198.51.100.7'];
const six = ['2001:db8::1', '2001:db8:0:1::'];

const contents = (blocked4: readonly string[], blocked6: readonly string[] = []): ReadonlyMap<string, Set<string>> =>
  new Map([
    ['blocked4', new Set(blocked4)],
    ['blocked6', new Set(blocked6)],
  ]);

function suite(name: string, table: string, start: () => Subject): void {
  describe(name, () => {
    test('what is held is in the sets, and a set that is not named becomes empty', async () => {
      const { sets, elements } = start();
      await sets.hold(contents(four, six));
      assert.deepEqual(elements('blocked4'), [...four].sort());
      assert.deepEqual(elements('blocked6'), [...six].sort());
      await sets.hold(new Map([['blocked4', new Set(four.slice(1))]]));
      assert.deepEqual(elements('blocked4'), four.slice(1));
      assert.deepEqual(elements('blocked6'), []);
      const status = sets.status();
      assert.equal(status.connected, true);
      assert.equal(status.table, table);
      assert.equal(status.lastError, undefined);
      await sets.close('flush');
    });

    test('of many holds at once the last one stays, and all of them are answered', async () => {
      const { sets, elements } = start();
      const holds = Array.from({ length: 50 }, (_, i) => sets.hold(contents([`192.0.2.${i + 1}`])));
      await Promise.all(holds);
      assert.deepEqual(elements('blocked4'), ['192.0.2.50']);
      await sets.close('flush');
    });

    test('the caller may change its own collections afterwards', async () => {
      const { sets, elements } = start();
      const mine = new Set(['192.0.2.1']);
      const held = sets.hold(new Map([['blocked4', mine]]));
      mine.add('192.0.2.2');
      await held;
      assert.deepEqual(elements('blocked4'), ['192.0.2.1']);
      await sets.hold(new Map([['blocked4', mine]]));
      assert.deepEqual(elements('blocked4'), ['192.0.2.1', '192.0.2.2']);
      await sets.close('flush');
    });

    test('a refusal rejects and shows in the status; when its cause is gone, the next hold succeeds', async () => {
      const { sets, elements, spoil, mend } = start();
      await sets.hold(contents(['192.0.2.1']));
      spoil();
      await assert.rejects(sets.hold(contents(['192.0.2.2'])), Error);
      assert.notEqual(sets.status().lastError, undefined);
      mend();
      await sets.hold(contents(['192.0.2.3']));
      assert.deepEqual(elements('blocked4'), ['192.0.2.3']);
      assert.equal(sets.status().lastError, undefined);
      await sets.close('flush');
    });

    test('of listed addresses those that packets went to are told, and no others', async () => {
      const { sets, packet } = start();
      const listed = new Map([
        ['listed4', new Set(['192.0.2.1', '192.0.2.2'])],
        ['listed6', new Set(['2001:db8::1', '2001:db8::2'])],
      ]);
      if (packet === undefined) {
        await sets.hold(contents(['192.0.2.1']));
        if (sets.used !== undefined) await assert.rejects(sets.used(), Error);
      } else {
        await sets.hold(listed);
        assert.deepEqual(await sets.used?.(), new Map());
        for (const address of ['192.0.2.2', '192.0.2.3', '2001:db8::1']) await packet(address);
        const used = await sets.used?.();
        assert.deepEqual([...(used ?? [])].map(([address]) => address).sort(), ['192.0.2.2', '2001:db8::1']);
        for (const ago of used?.values() ?? []) assert.ok(ago >= 0 && ago < 60, `${ago} s`);
      }
      await sets.close('flush');
      if (sets.used !== undefined) await assert.rejects(sets.used(), Error);
    });

    test('flush empties; closing again is silent, holding after it is refused', async () => {
      const { sets, elements } = start();
      await sets.hold(contents(four, six));
      await sets.close('flush');
      assert.deepEqual(elements('blocked4'), []);
      assert.deepEqual(elements('blocked6'), []);
      await sets.close('keep');
      await assert.rejects(sets.hold(contents(four)), Error);
      assert.equal(sets.status().connected, false);
    });
  });
}

const own: AgentConfig = { ...ownTableConfig, inUse: true };
const foreign: AgentConfig = {
  ...foreignSetsConfig,
  sets: [...foreignSetsConfig.sets, { name: 'listed4', type: 'ipv4_addr' }, { name: 'listed6', type: 'ipv6_addr' }],
  seen: ['seen4', 'seen6'],
};

function kernelElements(table: string, set: string): readonly string[] {
  let json: string;
  try {
    json = execFileSync('nft', ['-j', 'list', 'set', 'inet', table, set], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return [];
  }
  const listing = JSON.parse(json) as { nftables: { set?: { elem?: string[] } }[] };
  return listing.nftables.flatMap((entry) => entry.set?.elem ?? []).sort();
}

if (insideNamespace) {
  const nft = (...script: string[]): void => {
    execFileSync('nft', script);
  };
  const client = (config: AgentConfig): AddressSets =>
    new NftAgentClient({
      open: spawnedAgent([...agentCommand, '--supervised']),
      config,
      onStop: 'keep',
      clock: systemClock,
      log: new MemoryLog(),
    });
  const noting = 'flags dynamic, timeout; timeout 10m; size 4096';
  const ruleset = `table inet filter {
    set blocked4 { type ipv4_addr; }; set blocked6 { type ipv6_addr; };
    set listed4 { type ipv4_addr; }; set listed6 { type ipv6_addr; };
    set seen4 { type ipv4_addr; ${noting}; }; set seen6 { type ipv6_addr; ${noting}; };
    chain out {
      type filter hook output priority mangle;
      ip daddr @listed4 update @seen4 { ip daddr }; ip6 daddr @listed6 update @seen6 { ip6 daddr };
    };
  }`;
  execFileSync('ip', ['route', 'replace', 'default', 'dev', 'lo']);
  execFileSync('ip', ['-6', 'route', 'replace', 'default', 'dev', 'lo']);
  const packet = (address: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.once('error', reject);
      socket.send('x', 9, address, (error) => {
        socket.close();
        if (error === null) resolve();
        else reject(error);
      });
    });
  const load = (): void => nft(`add table inet filter; delete table inet filter; ${ruleset}`);
  suite('nft-agent, sets of the administrator', 'foreign', () => {
    load();
    return {
      sets: client(foreign),
      elements: (set) => kernelElements('filter', set),
      packet,
      spoil: () => nft('delete', 'table', 'inet', 'filter'),
      mend: load,
    };
  });
  // An owned table cannot be spoilt by anyone: the name is wrong instead, as a caller's mistake would be.
  suite('nft-agent, own table', 'owner', () => {
    const sets = client(own);
    let spoilt = false;
    return {
      sets: {
        hold: (wanted) => sets.hold(spoilt ? new Map([['elsewhere', new Set(['192.0.2.2'])]]) : wanted),
        used: () => sets.used?.() ?? Promise.reject(new Error('it cannot tell')),
        status: () => sets.status(),
        setOnStop: (mode) => sets.setOnStop(mode),
        close: (mode) => sets.close(mode),
      },
      elements: (set) => kernelElements(own.name, set),
      packet,
      spoil: () => {
        spoilt = true;
      },
      mend: () => {
        spoilt = false;
      },
    };
  });
} else {
  suite('fake', 'owner', () => {
    const sets = new FakeAddressSets();
    return {
      sets,
      elements: (set) => sets.elements(set),
      packet: async (address) => {
        sets.packets.set(address, 0);
      },
      spoil: () => {
        sets.failure = new Error('spoilt');
      },
      mend: () => {
        sets.failure = undefined;
      },
    };
  });
  suite('client and agent on a fake ruleset', 'owner-persist', () => {
    const ruleset = new FakeRuleset();
    const agents = new FakeAgents(ruleset, systemClock);
    const stranger = ruleset.open();
    const home = { family: 'inet', name: own.name } as const;
    return {
      sets: new NftAgentClient({
        open: agents.open,
        config: own,
        onStop: 'keep',
        clock: systemClock,
        log: new MemoryLog(),
      }),
      elements: (set) => ruleset.elements(home, set),
      packet: async (address) => {
        const family = address.includes(':') ? 6 : 4;
        if (ruleset.elements(home, `listed${family}`).includes(address)) {
          ruleset.packet(home, `seen${family}`, address, 0);
        }
      },
      spoil: () => {
        const table = ruleset.tables.get(`inet ${own.name}`);
        if (table !== undefined) table.owner = stranger.portId;
      },
      mend: () => {
        void stranger.close();
        ruleset.tables.delete(`inet ${own.name}`);
      },
    };
  });
  test('real agents keep the contract in a namespace', (t) => repeatInNamespace(t, import.meta.url));
}
