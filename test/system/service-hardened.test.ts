/** The hardened deployment under real systemd: an agent with one capability, and everything that reads the network with none. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { bootService, nbrpc, packaged, property, said, start, states, trees, unit } from './netsteward-service.ts';

const agent = 'netsteward-nft.service';
const socket = '/run/netsteward-nft/nft.sock';

for (const tree of trees)
  describe(`netsteward.service with netsteward-nft.service, tree ${tree}`, { skip }, () => {
    let box: Container;
    const agentPid = async (): Promise<string> => (await box.run(['systemctl', 'show', '-P', 'MainPID', agent])).trim();
    const rights = async (pid: string): Promise<string> => box.read(`/proc/${pid}/status`);
    const table = async (): Promise<string> =>
      (await box.exec(['nft', 'list', 'table', 'inet', 'netsteward-nbrpc'])).stdout;

    before(async () => {
      box = await bootService(`${nbrpc}agent = "${socket}"\n`, {
        tree,
        files: {
          [`/etc/systemd/system/${unit}.d/hardened.conf`]: packaged('netsteward-hardened.conf'),
          [`/etc/systemd/system/${agent}`]: packaged(agent),
          '/etc/sysusers.d/netsteward-nft.conf': packaged('netsteward-nft.sysusers.conf'),
          '/etc/netsteward/nft-agent.toml': `agent = "${socket}"\n[table]\n`,
        },
      });
    });
    after(() => box?.stop());

    test('a start brings up the agent first, and then the table is there', async () => {
      await start(box);
      assert.deepEqual(await states(box), ['nbrpc running']);
      assert.match(await table(), /set blocked4/);
    });

    test('the agent has one capability, the service none at all', async () => {
      // CAP_NET_ADMIN is 12 (linux/capability.h).
      assert.match(await rights(await agentPid()), /^CapEff:\t0{12}1000$/m);
      const facts = await rights(await property(box, 'MainPID'));
      for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb']) assert.match(facts, new RegExp(`^${set}:\t0+$`, 'm'));
      for (const pid of [await agentPid(), await property(box, 'MainPID')]) {
        assert.doesNotMatch(await rights(pid), /^Uid:\t0/m);
        assert.match(await rights(pid), /^NoNewPrivs:\t1$/m);
      }
    });

    test('the service may restart at will: the agent and its table stay', async () => {
      const pid = await agentPid();
      await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
      assert.match(await table(), /set blocked4/);
      await start(box);
      assert.equal(await agentPid(), pid);
      assert.doesNotMatch(await said(box), /nft-table-ends/);
      assert.deepEqual(await states(box), ['nbrpc running']);
    });

    test('an agent that was killed comes back, and the table with it', async () => {
      const pid = await agentPid();
      await box.run(['kill', '-KILL', pid]);
      await eventually('another agent', async () => !['0', pid].includes(await agentPid()), { seconds: 60 });
      await eventually('the table', async () => (await table()).includes('set blocked4'), { seconds: 60 });
      await eventually('nbrpc', async () => (await states(box)).join() === 'nbrpc running', { seconds: 60 });
    });

    test('nobody outside of its group reaches the agent, and nobody in it the ruleset', async () => {
      const script = `require('node:net').connect('${socket}').on('connect', () => process.exit(7)).on('error', (e) => { console.log(e.code); process.exit(1); })`;
      const id = async (...words: string[]): Promise<number> => Number(await box.run(['id', ...words]));
      const stranger = await box.exec(['/usr/local/bin/node', '-e', script], { uid: await id('-u', 'nobody') });
      assert.deepEqual([stranger.code, stranger.stdout.trim()], [1, 'EACCES']);
      const uid = await id('-u', 'netsteward');
      // The agent was killed in the test before, and may be on its way back.
      await eventually('its group reaches the agent', async () => {
        return (await box.exec(['/usr/local/bin/node', '-e', script], { uid })).code === 7;
      });
      assert.notEqual((await box.exec(['nft', 'flush', 'ruleset'], { uid })).code, 0);
      assert.match(await table(), /set blocked4/);
    });

    test('a service that asks for another table is told so, with the remedy', async () => {
      await box.write(
        '/etc/netsteward/netsteward.toml',
        `${nbrpc}agent = "${socket}"\n[nbrpc.table]\nname = "other"\n`,
      );
      assert.notEqual((await box.exec(['systemctl', 'reload', unit])).code, 0);
      assert.match(await said(box), /allows other sets than these .*the same table, sets/);
      assert.doesNotMatch(await box.run(['nft', 'list', 'tables']), /other/);
    });
  });
