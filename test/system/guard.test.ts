/** packaging/netsteward-guard.service under real systemd: before the network at boot, and after each load of the ruleset. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { bootService, nbrpc, packaged, said, start, trees, unit } from './netsteward-service.ts';

const guard = 'netsteward-guard.service';
const config = `${nbrpc}while_down = "drop"\n[nbrpc.guard]\ninterfaces = ["lan0"]\n`;

for (const tree of trees)
  describe(`${guard}, tree ${tree}`, { skip }, () => {
    let box: Container;
    const tables = (): Promise<string> => box.run(['nft', 'list', 'tables']);
    const monotonic = async (name: string, what: string): Promise<number> =>
      Number(await box.run(['systemctl', 'show', '-P', `${what}TimestampMonotonic`, name]));

    before(async () => {
      box = await bootService(config, {
        tree,
        files: {
          [`/etc/systemd/system/${guard}`]: packaged(guard),
          // As `systemctl enable` does it; and something that is at the network's door.
          '/etc/systemd/system/sysinit.target.d/guard.conf': `[Unit]\nWants=${guard}\n`,
          '/etc/nftables.conf': '#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter { }\n',
          '/etc/systemd/system/nftables.service':
            '[Unit]\nDefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n' +
            'ExecStart=/usr/sbin/nft -f /etc/nftables.conf\nExecReload=/usr/sbin/nft -f /etc/nftables.conf\n',
        },
      });
    });
    after(() => box?.stop());

    test('it is loaded at boot, before the network is prepared', async () => {
      assert.equal(
        await box.run(['systemctl', 'is-active', guard]),
        'active\n',
        await box.run(['systemctl', 'status', guard]),
      );
      assert.match(await box.run(['nft', 'list', 'ruleset']), /iifname "lan0" oifname != "lan0" .* drop/);
      const loaded = await monotonic(guard, 'ActiveEnter');
      assert.ok(loaded > 0 && loaded <= (await monotonic('network-pre.target', 'ActiveEnter')));
    });

    test('it comes back after a start and a reload of the administrator’s ruleset', async () => {
      await box.run(['systemctl', 'start', 'nftables.service']);
      for (const verb of ['reload', 'restart'] as const) {
        await box.run(['systemctl', verb, 'nftables.service']);
        await eventually(`the guard after a ${verb}`, async () => (await tables()).includes('netsteward-guard'));
        assert.match(await tables(), /table inet filter/);
      }
    });

    test('netsteward killed and stopped: the guard stays', async () => {
      await start(box);
      assert.match(await box.run(['nft', 'list', 'table', 'inet', 'netsteward-nbrpc']), /meta mark set .*0x40000000/);
      await box.run(['systemctl', 'kill', '--signal=KILL', unit]);
      await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
      const left = await tables();
      assert.match(left, /netsteward-guard/);
      // nft 1.1.3 knows tables that outlive their owner, nft 1.0.6 does not: what is judged flows on, or nothing does.
      assert.equal(left.includes('netsteward-nbrpc'), tree === 'trixie', left);
      assert.doesNotMatch(await said(box), /guard-not-loaded/);
    });

    test('its own stop lifts nothing; a configuration without it does', async () => {
      await box.run(['systemctl', 'stop', guard]);
      assert.match(await tables(), /netsteward-guard/);
      await box.write('/etc/netsteward/netsteward.toml', nbrpc);
      await box.run(['systemctl', 'start', guard]);
      assert.doesNotMatch(await tables(), /netsteward-guard/);
    });
  });

describe('the guard, with an agent that is a service of its own', { skip }, () => {
  const socket = '/run/netsteward-nft/nft.sock';
  const agent = 'netsteward-nft.service';
  let box: Container;
  const ruleset = (): Promise<string> => box.run(['nft', 'list', 'ruleset']);
  const judged = /meta mark set .*0x40000000/;

  before(async () => {
    box = await bootService(config.replace('while_down', `agent = "${socket}"\nwhile_down`), {
      tree: 'trixie',
      files: {
        [`/etc/systemd/system/${unit}.d/hardened.conf`]: packaged('netsteward-hardened.conf'),
        [`/etc/systemd/system/${agent}`]: packaged(agent),
        '/etc/sysusers.d/netsteward-nft.conf': packaged('netsteward-nft.sysusers.conf'),
        '/etc/netsteward/nft-agent.toml': `agent = "${socket}"\nwhile_down = "drop"\n[guard]\ninterfaces = ["lan0"]\n[table]\n`,
      },
    });
    await start(box);
  });
  after(() => box?.stop());

  test('the agent loads it beside its own table, and both stay when it is killed', async () => {
    for (const pattern of [judged, /netsteward-guard/]) assert.match(await ruleset(), pattern);
    await box.run(['systemctl', 'stop', unit], { timeout: 120_000 });
    assert.match(await ruleset(), judged);
    await box.run(['systemctl', 'kill', '--signal=KILL', agent]);
    for (const pattern of [judged, /netsteward-guard/]) assert.match(await ruleset(), pattern);
  });

  test('an agent without the guard is not taken, and check --host says what to mend', async () => {
    const toml = '/etc/netsteward/nft-agent.toml';
    await box.write(toml, `agent = "${socket}"\n[table]\n`);
    await box.run(['systemctl', 'restart', agent]);
    const { code, stdout } = await box.exec(['netsteward', 'check', '--host']);
    assert.equal(code, 1, stdout);
    assert.match(
      stdout,
      /ERROR +nbrpc: nft-agent at \S+ would refuse: .*\n +→ .*the same table, sets, while_down and guard/,
    );
  });
});
