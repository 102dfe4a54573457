/** `nft-agent --serve` against the real kernel, and against who owns the process at the other end of its socket. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { packageVersion } from '../../src/cli/version.ts';
import { systemClock } from '../../src/core/clock.ts';
import { NftAgentClient } from '../../src/system/linux/nft-agent-client.ts';
import { connectedAgent } from '../../src/system/linux/nft-agent-connect.ts';
import { lookAtAgent } from '../../src/system/linux/nft-agent-look.ts';
import type { AgentConfig, ForeignSetsConfig, OnStop } from '../../src/system/linux/nft-agent-protocol.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';
import { ServedAgent } from './served-agent.ts';

const allowed: ForeignSetsConfig = {
  kind: 'foreign',
  family: 'inet',
  table: 'filter',
  sets: [{ name: 'blocked4', type: 'ipv4_addr' }],
};
const ruleset = `table inet filter { set blocked4 { type ipv4_addr; }; set admins { type ipv4_addr; elements = { 192.0.2.1 }; };
  chain input { type filter hook input priority 0; ip saddr @admins accept; }; }
table inet other { set blocked4 { type ipv4_addr; }; }`;

const nft = (...words: string[]): string => execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' });
const elements = (): string => nft('list', 'set', 'inet', 'filter', 'blocked4');

function inside(): void {
  let agent: ServedAgent;
  let original = '';
  const client = (config: AgentConfig = allowed, onStop: OnStop = 'keep') =>
    new NftAgentClient({
      open: connectedAgent(agent.socket),
      config,
      onStop,
      clock: systemClock,
      log: new MemoryLog(),
    });

  /** Says this, and gives what it heard until the agent has closed the connection, or has answered `answers` times. */
  async function attack(bytes: readonly (string | Buffer)[], answers = Number.POSITIVE_INFINITY): Promise<string> {
    const socket = connect(agent.socket);
    let heard = '';
    const over = new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (text: string) => {
        heard += text;
        if (heard.split('\n').length > answers) resolve();
      });
    });
    for (const each of bytes) socket.write(each);
    await over;
    socket.destroy();
    return heard;
  }

  const line = (fields: unknown): string => `${JSON.stringify(fields)}\n`;
  const configure = line({ type: 'configure', id: 1, config: allowed, onStop: 'keep' });

  /** The agent is the same process, serves a client, and nothing but the one set is other than it was. */
  async function unharmed(): Promise<void> {
    const sets = client();
    await sets.hold(new Map([['blocked4', new Set(['127.0.0.7'])]]));
    assert.match(elements(), /127\.0\.0\.7/);
    await sets.hold(new Map());
    await sets.close('keep');
    assert.equal(agent.process.exitCode, null, agent.said);
    assert.equal(nft('list', 'ruleset'), original);
  }

  before(async () => {
    nft(ruleset);
    original = nft('list', 'ruleset');
    agent = new ServedAgent('[sets]\nblocked4 = "blocked4"\n');
    await agent.ready();
  });
  after(() => agent?.end());

  test('what a client holds stays when it ends or dies, and the next one goes on with it', async () => {
    const first = client();
    await first.hold(new Map([['blocked4', new Set(['127.0.0.1', '127.0.0.2'])]]));
    assert.equal(first.status().table, 'foreign');
    await first.close('keep');
    assert.match(elements(), /127\.0\.0\.1, 127\.0\.0\.2/);
    const second = client();
    await second.hold(new Map([['blocked4', new Set(['127.0.0.2'])]]));
    assert.doesNotMatch(elements(), /127\.0\.0\.1\b/);
    await second.close('flush');
    await agent.holds('it is empty', () => !/127/.test(elements()));
  });

  test('a client that is gone without a word leaves what its on_stop says', async () => {
    const replace = line({ type: 'replace', id: 2, sets: { blocked4: ['127.0.0.3'] } });
    await attack([configure.replace('keep', 'flush'), replace], 3);
    await agent.holds('it is empty', () => !/127/.test(elements()));
    await unharmed();
  });

  test('a flush by others is mended though no client is there', async () => {
    const sets = client();
    await sets.hold(new Map([['blocked4', new Set(['127.0.0.4'])]]));
    await sets.close('keep');
    nft('flush', 'set', 'inet', 'filter', 'blocked4');
    await agent.holds('it is there again', () => elements().includes('127.0.0.4'));
    await unharmed();
  });

  test('no other table, set or kind of sets is to be had', async () => {
    const wishes: readonly AgentConfig[] = [
      { ...allowed, table: 'other' },
      { ...allowed, family: 'ip' },
      { ...allowed, sets: [{ name: 'admins', type: 'ipv4_addr' }] },
      { ...allowed, sets: [...allowed.sets, { name: 'admins', type: 'ipv4_addr' }] },
      {
        kind: 'own',
        name: 'filter',
        mark: 1,
        mask: 1,
        markForwarded: true,
        markOwn: true,
        exemptSourcePorts: undefined,
        exemptUid: undefined,
        never: [],
      },
    ];
    for (const config of wishes) {
      const heard = await attack([line({ type: 'configure', id: 1, config, onStop: 'flush' })]);
      assert.match(heard, /"ok":false,"code":"agent-not-allowed"/);
    }
    const others = [
      line({ type: 'replace', id: 2, sets: { admins: ['203.0.113.1'] } }),
      line({ type: 'update', id: 3, sets: { admins: { delete: ['192.0.2.1'] } } }),
      line({ type: 'replace', id: 4, sets: { 'blocked4 { 1.1.1.1 }; flush ruleset; #': [] } }),
      line({ type: 'replace', id: 5, sets: { blocked4: ['127.0.0.1 }; flush ruleset; #'] } }),
      line({ type: 'configure', id: 6, config: wishes[0], onStop: 'keep' }),
    ];
    const heard = await attack([configure, ...others], 7);
    assert.equal(heard.match(/"ok":false/g)?.length, 5, heard);
    await unharmed();
  });

  test('a look tells what it would take and its version, and disturbs nobody', async () => {
    const sets = client();
    await sets.hold(new Map([['blocked4', new Set(['127.0.0.8'])]]));
    assert.deepEqual(await lookAtAgent(agent.socket, allowed, systemClock), {
      kind: 'fits',
      version: packageVersion(),
    });
    const other = await lookAtAgent(agent.socket, { ...allowed, table: 'other' }, systemClock);
    assert.ok(other.kind === 'refuses' && other.code === 'agent-not-allowed', JSON.stringify(other));
    const nobody = await lookAtAgent(`${agent.socket}.none`, allowed, systemClock);
    assert.ok(nobody.kind === 'silent' && /there is no such socket/.test(nobody.reason), JSON.stringify(nobody));
    assert.match(elements(), /127\.0\.0\.8/);
    assert.equal(sets.status().connected, true);
    await sets.close('flush');
    await unharmed();
  });

  test('nothing is served before a configuration that is allowed, and the one that is served is not disturbed', async () => {
    const sets = client();
    await sets.hold(new Map([['blocked4', new Set(['127.0.0.5'])]]));
    for (const type of ['replace', 'stop', 'on-stop']) {
      const heard = await attack([line({ type, id: 1, ...(type === 'replace' ? { sets: {} } : { mode: 'flush' }) })]);
      assert.match(heard, /not-configured/);
    }
    assert.match(elements(), /127\.0\.0\.5/);
    assert.equal(sets.status().connected, true);
    await sets.close('flush');
    await unharmed();
  });

  test('garbage, and messages that are too long, too deep or too many, cost the sender its connection and nobody else anything', async () => {
    const most = 16 * 1024 * 1024;
    const messages: readonly (string | Buffer)[] = [
      Buffer.alloc(4096, 0xff),
      '\0\n',
      '{"type":\n',
      `${'['.repeat(most - 1)}\n`,
      `${'{"a":'.repeat(most / 5 - 1)}\n`,
      `[${'{},'.repeat(most / 3 - 2)}0]\n`,
      `[${'0,'.repeat(most / 2 - 2)}0]\n`,
      Buffer.alloc(most + 2, 0x20),
    ];
    for (const message of messages) {
      // With and without the rights of a client.
      for (const first of ['', configure]) {
        const begun = attack([first, message, '\n', line({ type: 'stop', id: 9, mode: 'keep' })]);
        await begun;
      }
    }
    await unharmed();
    for (const why of [/longer than 16777216 bytes/, /nested deeper than/, /did not begin with a configuration/]) {
      assert.match(agent.said, why);
    }
    // At its highest. Where JSON.parse() gets to see the deep ones, it is 1.3 GB.
    const resident = Number(
      /VmHWM:\s+(\d+)/.exec(execFileSync('cat', [`/proc/${agent.process.pid}/status`], { encoding: 'utf8' }))?.[1],
    );
    assert.ok(resident < 400_000, `${resident} kB at most`);
  });

  test('a request without end, and answers that nobody reads, do not hold up another client', async () => {
    const slow = Array.from({ length: 6 }, () => connect(agent.socket));
    for (const socket of slow) {
      socket.on('error', () => {});
      socket.write('{"type":"conf');
    }
    const deaf = connect(agent.socket);
    deaf.on('error', () => {});
    deaf.pause();
    deaf.write(configure);
    const question = line({ type: 'update', id: 2, sets: { nothing: {} } });
    for (let count = 0; count < 20; count += 1) deaf.write(question.repeat(2000));
    await unharmed();
    for (const socket of [...slow, deaf]) socket.destroy();
    await unharmed();
  });

  test('SIGTERM ends it with 0, and what it holds stays', async () => {
    const sets = client();
    await sets.hold(new Map([['blocked4', new Set(['127.0.0.6'])]]));
    const code = new Promise((resolve) => agent.process.once('exit', resolve));
    agent.process.kill('SIGTERM');
    assert.equal(await code, 0, agent.said);
    assert.match(elements(), /127\.0\.0\.6/);
    await sets.close('keep');
  });
}

if (insideNamespace) inside();
else test('nft-agent --serve, in a namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
