/** An agent of its own service that tells use and drops connections, on the real kernel: as far as its own file allows, no further. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { agentConfig } from '../../src/cli/compose.ts';
import { systemClock } from '../../src/core/clock.ts';
import { parseNbrpc } from '../../src/nbrpc/config.ts';
import { sinkOf } from '../../src/nbrpc/sink-of.ts';
import { NftAgentClient } from '../../src/system/linux/nft-agent-client.ts';
import { connectedAgent } from '../../src/system/linux/nft-agent-connect.ts';
import type { OwnTableConfig } from '../../src/system/linux/nft-agent-protocol.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { ServedAgent } from './served-agent.ts';
import { trackEntries } from './tracked-entries.ts';

const parsed = parseNbrpc({
  check_lists: ['/a.list'],
  in_use: true,
  drop_connections: true,
  table: { mask: 0x30000 },
  exit: [
    { name: 'near', source: ['10.9.0.2'] },
    { name: 'far', source: ['10.9.1.2'], mark: 0x20000 },
  ],
});
if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
/** As `netsteward run` asks for with the same keys. */
const config = agentConfig(sinkOf(parsed.config)) as OwnTableConfig;
const rights = `in_use = true
drop_connections = true
[table]
mask = 0x30000
[[exit]]
name = "near"
source = ["10.9.0.2"]
[[exit]]
name = "far"
source = ["10.9.1.2"]
mark = 0x20000
`;

const connections = (to: string): number =>
  readFileSync('/proc/net/nf_conntrack', 'utf8')
    .split('\n')
    .filter((line) => new RegExp(`^[^[]*? dst=${to} `).test(line)).length;
const entries = (to: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ from: '192.0.2.77', to, port: 2000 + index }));
const sets = (contents: Record<string, readonly string[]>) =>
  new Map(Object.entries(contents).map(([name, members]) => [name, new Set(members)]));

function inside(): void {
  let agent: ServedAgent;
  const open = (wanted: OwnTableConfig): NftAgentClient =>
    new NftAgentClient({
      open: connectedAgent(agent.socket),
      config: wanted,
      onStop: 'keep',
      outlives: true,
      clock: systemClock,
      log: new MemoryLog(),
    });

  before(async () => {
    agent = new ServedAgent(rights);
    await agent.ready();
  });
  after(() => agent?.end());

  test('connections to what changes its route go, also when a new client finds it otherwise, and others stay', async () => {
    const first = open(config);
    await first.hold(sets({ 'blocked4-near': ['203.0.113.1'], listed4: ['203.0.113.1', '203.0.113.2'] }));
    await trackEntries([1, 2, 3].flatMap((n) => entries(`203.0.113.${n}`, 40)));
    await first.hold(sets({ 'blocked4-far': ['203.0.113.1'], listed4: ['203.0.113.1', '203.0.113.3'] }));
    await agent.holds('the first are gone', () => connections('203.0.113.1') === 0);
    assert.deepEqual([connections('203.0.113.2'), connections('203.0.113.3')], [40, 40], 'listing is no route');
    await agent.holds('it is told', () => first.status().connections?.dropped === 40);
    await first.close('keep');

    const second = open(config);
    await second.hold(sets({ 'blocked4-far': ['203.0.113.1', '203.0.113.2'] }));
    await agent.holds('the second are gone', () => connections('203.0.113.2') === 0);
    assert.equal(connections('203.0.113.3'), 40);
    await second.close('flush');
  });

  test('use is told of what is listed, not of the client`s own checks', async () => {
    const client = open(config);
    // What goes over lo comes in again, as if from others.
    for (const words of ['link add wan type veth peer wan-far', 'link set wan up', 'address add 10.5.0.1/24 dev wan']) {
      execFileSync('ip', words.split(' '));
    }
    await client.hold(sets({ listed4: ['10.5.0.7', '10.5.0.8'], listed6: ['::1'] }));
    const send = (address: string, from?: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').once('error', reject);
        socket.bind(from, () => socket.send('x', 9, address, () => socket.close(() => resolve())));
      });
    await send('10.5.0.7', 61_500);
    assert.deepEqual(await client.used(), new Map());
    for (const address of ['10.5.0.8', '10.5.0.9', '::1']) await send(address);
    assert.deepEqual([...(await client.used()).keys()].sort(), ['10.5.0.8', '::1']);
    await client.close('flush');
  });

  test('a client that wants another right than the agent`s file gives is refused', async () => {
    for (const other of [{ dropConnections: undefined }, { inUse: undefined }, { exits: undefined }]) {
      const client = open({ ...config, ...other });
      await assert.rejects(client.hold(new Map()), { code: 'agent-not-allowed' });
      await client.close('keep');
    }
  });
}

if (insideNamespace) inside();
else test('an agent with these rights keeps to them in a namespace', (t) => repeatInNamespace(t, import.meta.url));
