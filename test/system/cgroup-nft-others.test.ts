/** Others may do what they like beside groups in netsteward's own table: reloads, flushes, no journal, kill -9. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  allowing,
  comment,
  configuration,
  firstAttempt,
  grouped,
  hasJump,
  jumped,
  marked,
  ruleFile,
  service,
} from './allowed-units.ts';
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

const table = 'netsteward-units';

for (const tree of ['bookworm', 'trixie'] as const) {
  describe(`groups in a table of netsteward’s own, in ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      const ruleset = refusing(`${theirRules}\n${marked}`, { before: theirOthers });
      box = await allowing({
        tree,
        way: 'groups',
        allowed: [client, held, watched, restarting],
        files: { ...unitFiles, [ruleFile]: ruleset },
      });
    });
    after(() => box?.stop());

    test('see no interruption in 40 reloads, while units restart', async () => {
      const untouched = await foreign(box);
      const watch = await watching(box);
      const again = await restarts(box);
      const reload = async (): Promise<void> => {
        await box.run(['nft', '-f', ruleFile]);
        await box.run(['sh', '-c', `nft flush ruleset; nft -f ${ruleFile}`]);
      };
      await during(20, reload, () => again.through(5));
      await again.stop();
      await noneDead(box, table);
      assert.equal(await foreign(box), untouched);
      // What an interruption would look like.
      await box.run(['nft', 'flush', 'chain', 'inet', 'filter', 'allowed']);
      await eventually('the watch has seen it', async () =>
        (await box.read('/run/watch.service.json')).includes('Operation not permitted'),
      );
      const seen = await watch.stop();
      await box.run(['nft', '-f', ruleFile]);
      assert.deepEqual(sinceFirst(seen), ['sent', 'Operation not permitted']);
      assert.ok(seen.sent > 500, `${seen.sent}`);
    });

    test('cannot be changed by anybody else', async () => {
      for (const command of ['flush table', 'delete table']) {
        const { code, stderr } = await box.exec(['nft', ...command.split(' '), 'inet', table]);
        assert.equal(code, 1);
        assert.match(stderr, /Operation not permitted/);
      }
    });

    test('are there again after kill -9 of everything, of the service alone and of the module alone, while units restart', async () => {
      const untouched = await foreign(box);
      const persistent = (await box.run(['netsteward', 'status'])).includes('flags owner, persist');
      const watch = await watching(box);
      const again = await restarts(box);
      await again.through(1);
      await killed(box);
      await again.through();
      await killed(box, '--kill-who=main');
      await again.through();
      const pid = (await box.run(['pgrep', '-f', 'module-entry.js cgroup-nft'])).trim();
      await box.run(['kill', '-9', pid]);
      await eventually('another module', async () => {
        const { stdout } = await box.exec(['pgrep', '-f', 'module-entry.js cgroup-nft']);
        return stdout !== '' && stdout.trim() !== pid;
      });
      await eventually('it is ready', async () =>
        (await box.exec(['netsteward', 'status'])).stdout.includes(', ready,'),
      );
      await again.through();
      const seen = sinceFirst(await watch.stop());
      // What runs on is let through all the time where the table outlives its owner.
      if (persistent) assert.deepEqual(seen, ['sent']);
      else assert.equal(seen.at(-1), 'sent');
      await again.stop();
      await noneDead(box, table);
      assert.equal(await foreign(box), untouched);
    });

    test('are made up for when netsteward was stopped for a while', async () => {
      await stoppedAndContinued(box, table);
    });

    test('need no journal: not to go on when journald ends, nor to start', async () => {
      const units = ['systemd-journald.socket', 'systemd-journald-dev-log.socket', 'systemd-journald.service'];
      await box.run(['systemctl', 'stop', ...units]);
      try {
        await box.run(['netsteward', 'reload']);
        await firstAttempt(box, clientFile, restart(box, client));
        await killed(box);
        await firstAttempt(box, clientFile, restart(box, client));
        assert.doesNotMatch(await box.run(['netsteward', 'status']), /journal cannot be read/);
      } finally {
        await box.run(['systemctl', 'start', ...units]);
      }
    });
  });
}

describe('a configuration with groups and files', { skip }, () => {
  test('keeps both at once, and each through what happens to the other', async () => {
    const toml = grouped([watched.unit], `files = ["${ruleFile}"]`);
    const ruleset = comment(client) + refusing(marked);
    const box = await allowing({
      tree: 'bookworm',
      way: 'groups',
      allowed: [],
      files: { ...unitFiles, [configuration]: toml, [ruleFile]: ruleset },
    });
    try {
      const watch = await watching(box);
      await firstAttempt(box, clientFile, restart(box, client));
      await box.run(['nft', '-f', ruleFile]);
      await jumped(box);
      await firstAttempt(box, clientFile, restart(box, client));
      assert.deepEqual(sinceFirst(await watch.stop()), ['sent']);
      const status = await box.run(['netsteward', 'status']);
      assert.match(status, /own table inet netsteward-units \(flag owner\)/);
      await box.run(['systemctl', 'stop', service]);
      assert.equal(await hasJump(box), true);
    } finally {
      await box.stop();
    }
  });
});
