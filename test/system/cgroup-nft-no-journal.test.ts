/** Rules in comments where there is no journal, or none that may be read: cgroups are watched all the same, and a warning says so. */
import { after, before, describe, test } from 'node:test';
import { allowing, dropInUnit, firstAttempt, jumped, ruleFile, service } from './allowed-units.ts';
import { type Container, skip } from './container.ts';
import { client, clientFile, restart, unitFiles } from './disturbances.ts';
import { eventually } from './eventually.ts';

describe('without the journal', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await allowing({ tree: 'trixie', way: 'comments', allowed: [client], files: unitFiles });
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
    await firstAttempt(box, clientFile, restart(box, client));
    await eventually('the warning', async () => warning.test((await box.exec(['cat', log])).stdout));
    await firstAttempt(box, clientFile, restart(box, client));
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
