/** Others may do what they like with the chains that hold netsteward's rules: its rules are there again, and theirs are as they made them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allowing, comment, firstAttempt, hasJump, jumped, ruleFile, service } from './allowed-units.ts';
import { type Container, skip } from './container.ts';
import {
  client,
  clientFile,
  during,
  foreign,
  held,
  killed,
  noneDead,
  restart,
  restarting,
  restarts,
  sinceFirst,
  stoppedAndContinued,
  theirOthers,
  theirRules,
  unitFiles,
  watched,
} from './disturbances.ts';
import { eventually } from './eventually.ts';
import { refusing, watching } from './packets.ts';

const files = { ...unitFiles, '/etc/systemd/system/told.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n' };

const said = (box: Container): Promise<string> => box.run(['journalctl', '--no-pager', '--output=cat', '-u', service]);

for (const tree of ['bookworm', 'trixie'] as const) {
  describe(`rules in the administrator’s chains, in ${tree}`, { skip }, () => {
    let box: Container;
    const ruleset =
      [client, held, watched, restarting].map((one) => comment(one)).join('') +
      refusing(theirRules, { before: theirOthers });
    before(async () => {
      box = await allowing({
        tree,
        way: 'comments',
        flags: '-c 0 -u told.service',
        allowed: [client, held, watched, restarting],
        files: { ...files, [ruleFile]: ruleset },
      });
      await box.write(`/etc/systemd/system/${service}.d/again.conf`, '[Service]\nRestart=always\nRestartSec=50ms\n');
      await box.run(['systemctl', 'daemon-reload']);
    });
    after(() => box?.stop());

    test('are right again after each reload, while units restart', async () => {
      const untouched = await foreign(box);
      const watch = await watching(box);
      const again = await restarts(box);
      const reload = async (): Promise<void> => {
        await box.run(['nft', '-f', ruleFile]);
        await jumped(box);
        await box.run(['sh', '-c', `nft flush ruleset; nft -f ${ruleFile}`]);
        await jumped(box);
      };
      await during(10, reload, () => again.through(5));
      await again.stop();
      await noneDead(box, 'filter');
      await eventually('the watch gets through', async () => {
        const allowed = await box.run(['nft', 'list', 'chains']);
        return allowed.includes('watch.service') && hasJump(box);
      });
      const { changes, sent } = await watch.stop();
      assert.equal(changes.at(-1)?.result, 'sent');
      assert.ok(sent > 100);
      assert.equal(await foreign(box), untouched);
      // One jump, however often they were put back.
      const chain = await box.run(['nft', 'list', 'chain', 'inet', 'filter', 'allowed']);
      assert.equal(chain.split('jump netsteward-').length, 2, chain);
    });

    test('are there as soon as a table that was gone is back, while units restart', async () => {
      const again = await restarts(box);
      for (let count = 1; count <= 3; count += 1) {
        await box.run(['nft', 'delete', 'table', 'inet', 'filter']);
        await eventually('the missing chain is told', async () => {
          return (await said(box)).split('has no inet filter allowed').length > count;
        });
        await box.run(['nft', '-f', ruleFile]);
        await jumped(box);
        await again.through();
      }
      await again.stop();
      await firstAttempt(box, clientFile, restart(box, client));
    });

    test('are put back where somebody has emptied a chain of netsteward’s', async () => {
      const watch = await watching(box);
      const chains = await box.run(['nft', 'list', 'chains']);
      const own = /chain (netsteward-allowed-watch\.service-\w+)/.exec(chains)?.[1];
      await box.run(['nft', 'flush', 'chain', 'inet', 'filter', `${own}`]);
      await eventually('its rule is back', async () =>
        (await box.run(['nft', 'list', 'chain', 'inet', 'filter', `${own}`])).includes('accept'),
      );
      assert.equal((await watch.stop()).changes.at(-1)?.result, 'sent');
    });

    test('are there again after kill -9, while units restart, and leave the rest alone', async () => {
      const untouched = await foreign(box);
      const watch = await watching(box);
      const again = await restarts(box);
      for (let count = 0; count < 2; count += 1) {
        await killed(box);
        await again.through();
      }
      // What runs on is let through all the time: nothing is flushed.
      assert.deepEqual(sinceFirst(await watch.stop()), ['sent']);
      await again.stop();
      await jumped(box);
      await noneDead(box, 'filter');
      assert.equal(await foreign(box), untouched);
    });

    test('are made up for when netsteward was stopped for a while', async () => {
      await stoppedAndContinued(box, 'filter');
    });

    test('follow the journal through a restart of journald, rotation and vacuum', async () => {
      const chains = (): Promise<string> => box.run(['nft', 'list', 'chains']);
      let count = 0;
      const noticed = async (): Promise<void> => {
        count += 1;
        const more = comment({ unit: `more-${count}.service`, path: `system.slice/more-${count}.service` });
        await box.write(ruleFile, ruleset + more);
        await box.run(['systemctl', 'start', 'told.service']);
        await eventually('the job is noticed', async () => (await chains()).includes(`more-${count}.service`));
      };
      await noticed();
      await box.run(['systemctl', 'restart', 'systemd-journald.service']);
      await noticed();
      await box.run(['journalctl', '--rotate']);
      await box.run(['journalctl', '--vacuum-size=1']);
      await noticed();
      await box.run(['journalctl', '--rotate', '--vacuum-time=1s']);
      await noticed();
      await firstAttempt(box, clientFile, restart(box, client));
    });
  });
}
