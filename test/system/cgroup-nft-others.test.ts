/** Others may do what they like beside netsteward: reloads, flushes, a journal that is gone, kill -9; its rules are there again, and theirs are as they made them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  allowing,
  comment,
  configuration,
  connectingUnit,
  dropInUnit,
  firstAttempt,
  grouped,
  hasJump,
  jumped,
  marked,
  ruleFile,
  service,
} from './allowed-units.ts';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { refusing, type Watched, watching } from './packets.ts';

const file = '/run/connection';
const unit = 'client.service';
const client = { unit, path: `system.slice/${unit}` };
const watched = { unit: 'watch.service', path: 'system.slice/watch.service' };

const files = {
  '/etc/systemd/system/client.service': connectingUnit(file),
  '/etc/systemd/system/told.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
};

const restart = (box: Container) => () => box.run(['systemctl', 'restart', unit]);

/** Everything that is not netsteward's, as nft lists it: rules in their order, without handles and counters. */
async function foreign(box: Container): Promise<string> {
  const all = await box.run(['nft', '-s', '-t', 'list', 'ruleset']);
  return all
    .replace(/^table inet netsteward-units \{[\s\S]*?^\}\n/m, '')
    .replace(/^\tchain netsteward-[\s\S]*?^\t\}\n/gm, '')
    .replace(/^\t\tjump netsteward-.*\n/gm, '')
    .replace(/\n{2,}/g, '\n');
}

/** The main process of netsteward's unit. */
async function mainPid(box: Container): Promise<string> {
  return (await box.run(['systemctl', 'show', '--property=MainPID', '--value', service])).trim();
}

async function killed(box: Container, ...how: readonly string[]): Promise<void> {
  const former = await mainPid(box);
  await box.run(['systemctl', 'kill', '--signal=KILL', ...how, service]);
  await eventually('netsteward runs again', async () => {
    const { stdout } = await box.exec(['systemctl', 'is-active', service]);
    return stdout === 'active\n' && (await mainPid(box)) !== former;
  });
}

/** What became of datagrams since the first that got through: the watch is a unit whose start may lose its race, as any. */
function sinceFirst({ changes }: Watched): readonly string[] {
  const results = changes.map(({ result }) => result);
  return results.slice(Math.max(0, results.indexOf('sent')));
}

const said = (box: Container): Promise<string> => box.run(['journalctl', '--no-pager', '--output=cat', '-u', service]);

const rules = 'ip daddr 192.0.2.1 accept\nip daddr 192.0.2.2 counter accept\nudp dport 53 accept';
const before2 = '  set theirs { type ipv4_addr; elements = { 192.0.2.7 } }\n  chain aside { ip saddr @theirs drop; }';

for (const tree of ['bookworm', 'trixie'] as const) {
  describe(`groups in a table of netsteward’s own, in ${tree}`, { skip }, () => {
    let box: Container;
    before(async () => {
      const ruleset = refusing(`${rules}\n${marked}`, { before: before2 });
      box = await allowing({
        tree,
        way: 'groups',
        allowed: [client, watched],
        files: { ...files, [ruleFile]: ruleset },
      });
    });
    after(() => box?.stop());

    test('see no interruption in 40 reloads, while units restart', async () => {
      const untouched = await foreign(box);
      const watch = await watching(box);
      for (let count = 0; count < 20; count += 1) {
        await box.run(['nft', '-f', ruleFile]);
        await box.run(['sh', '-c', `nft flush ruleset; nft -f ${ruleFile}`]);
        if (count % 5 === 0) await firstAttempt(box, file, restart(box));
      }
      assert.equal(await foreign(box), untouched);
      // What an interruption would look like.
      await box.run(['nft', 'flush', 'chain', 'inet', 'filter', 'allowed']);
      const seen = await watch.stop();
      await box.run(['nft', '-f', ruleFile]);
      assert.deepEqual(sinceFirst(seen), ['sent', 'Operation not permitted']);
      assert.ok(seen.sent > 1000, `${seen.sent}`);
    });

    test('cannot be changed by anybody else', async () => {
      for (const command of ['flush table', 'delete table']) {
        const { code, stderr } = await box.exec(['nft', ...command.split(' '), 'inet', 'netsteward-units']);
        assert.equal(code, 1);
        assert.match(stderr, /Operation not permitted/);
      }
    });

    test('are there again after kill -9 of everything, of the service alone and of the module alone', async () => {
      const untouched = await foreign(box);
      await killed(box);
      await firstAttempt(box, file, restart(box));
      await killed(box, '--kill-who=main');
      await firstAttempt(box, file, restart(box));
      const pid = (await box.run(['pgrep', '-f', 'module-entry.js cgroup-nft'])).trim();
      await box.run(['kill', '-9', pid]);
      await eventually('another module', async () => {
        const { stdout } = await box.exec(['pgrep', '-f', 'module-entry.js cgroup-nft']);
        return stdout !== '' && stdout.trim() !== pid;
      });
      await eventually('it is ready', async () =>
        (await box.exec(['netsteward', 'status'])).stdout.includes(', ready,'),
      );
      await firstAttempt(box, file, restart(box));
      assert.equal(await foreign(box), untouched);
    });
  });

  describe(`rules in the administrator’s chains, in ${tree}`, { skip }, () => {
    let box: Container;
    const ruleset = comment(client) + comment(watched) + refusing(rules, { before: before2 });
    before(async () => {
      box = await allowing({
        tree,
        way: 'comments',
        flags: '-c 0 -u told.service',
        allowed: [client, watched],
        files: { ...files, [ruleFile]: ruleset },
      });
      await box.write(`/etc/systemd/system/${service}.d/again.conf`, '[Service]\nRestart=always\nRestartSec=50ms\n');
      await box.run(['systemctl', 'daemon-reload']);
    });
    after(() => box?.stop());

    test('are right again after each reload, while units restart', async () => {
      const untouched = await foreign(box);
      const watch = await watching(box);
      for (let count = 0; count < 10; count += 1) {
        await box.run(['nft', '-f', ruleFile]);
        await jumped(box);
        await box.run(['sh', '-c', `nft flush ruleset; nft -f ${ruleFile}`]);
        await jumped(box);
        if (count % 5 === 0) await firstAttempt(box, file, restart(box));
      }
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

    test('are there as soon as a table that was gone is back', async () => {
      await box.run(['nft', 'delete', 'table', 'inet', 'filter']);
      await eventually('the missing chain is told', async () =>
        (await said(box)).includes('has no inet filter allowed'),
      );
      await box.run(['nft', '-f', ruleFile]);
      await jumped(box);
      await firstAttempt(box, file, restart(box));
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

    test('are there again after kill -9, and leave the rest alone', async () => {
      const untouched = await foreign(box);
      await killed(box);
      await jumped(box);
      await firstAttempt(box, file, restart(box));
      assert.equal(await foreign(box), untouched);
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
      await firstAttempt(box, file, restart(box));
    });
  });
}

describe('without the journal', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await allowing({ tree: 'trixie', way: 'comments', allowed: [client], files });
    await box.run(['systemctl', 'stop', service]);
  });
  after(() => box?.stop());

  /** Starts the drop-in with these lines in its unit, and gives all that it says until `warning` is there. */
  async function runs(extra: string, warning: RegExp): Promise<void> {
    const log = '/run/said';
    const to = `StandardOutput=append:${log}\nStandardError=append:${log}\n`;
    await box.write(`/etc/systemd/system/${service}`, `${dropInUnit()}${extra}${to}`);
    await box.run(['systemctl', 'daemon-reload']);
    await box.run(['nft', '-f', ruleFile]);
    await box.run(['systemctl', 'start', service]);
    await jumped(box);
    await firstAttempt(box, file, restart(box));
    await eventually('the warning', async () => warning.test((await box.exec(['cat', log])).stdout));
    await firstAttempt(box, file, restart(box));
    await box.run(['systemctl', 'stop', service]);
    await box.run(['rm', log]);
  }

  test('that it may not read, cgroups are watched all the same, and a warning says what is missing', async () => {
    const user = 'User=daemon\nAmbientCapabilities=CAP_NET_ADMIN CAP_SYS_NICE\n';
    await runs(user, /journal cannot be read.*systemd-journal/s);
  });

  test('that nobody keeps, cgroups are watched all the same, and a warning says why', async () => {
    await box.write('/etc/systemd/journald.conf.d/none.conf', '[Journal]\nStorage=none\n');
    await box.run(['systemctl', 'restart', 'systemd-journald.service']);
    await box.run(['sh', '-c', 'rm -rf /run/log/journal /var/log/journal']);
    await runs('', /journal cannot be read.*there is no journal/s);
  });

  test('whose program is not installed, cgroups are watched all the same, and a warning says why', async () => {
    await box.run(['mv', '/usr/bin/journalctl', '/usr/bin/journalctl.gone']);
    try {
      await runs('', /journal cannot be read.*journalctl is not installed/s);
    } finally {
      await box.run(['mv', '/usr/bin/journalctl.gone', '/usr/bin/journalctl']);
    }
  });
});

describe('a configuration with groups and files', { skip }, () => {
  test('keeps both at once, and each through what happens to the other', async () => {
    const toml = grouped([watched.unit], `files = ["${ruleFile}"]`);
    const ruleset = comment(client) + refusing(marked);
    const box = await allowing({
      tree: 'bookworm',
      way: 'groups',
      allowed: [],
      files: { ...files, [configuration]: toml, [ruleFile]: ruleset },
    });
    try {
      const watch = await watching(box);
      await firstAttempt(box, file, restart(box));
      await box.run(['nft', '-f', ruleFile]);
      await jumped(box);
      await firstAttempt(box, file, restart(box));
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
