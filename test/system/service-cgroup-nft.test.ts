/** packaging/netsteward-cgroup-nft.service under real systemd: rules of a unit, kept alive by a user with two capabilities. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkout } from '../checkout.ts';
import { bootContainer, type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';

const unit = 'netsteward-cgroup-nft.service';
const packaged = (file: string): string => readFileSync(join(checkout, 'packaging', file), 'utf8');
const sleeper = '[Service]\nExecStart=/bin/sleep infinity\n';
const rules = `table inet filter {
  chain output { type filter hook output priority 0; }
}
# mail.service :: add rule inet filter output socket cgroupv2 level 2 "system.slice/mail.service" counter accept
`;

describe('netsteward-cgroup-nft.service of packaging/', { skip }, () => {
  let box: Container;
  const property = async (name: string): Promise<string> =>
    (await box.run(['systemctl', 'show', '-P', name, unit])).trim();
  const said = async (): Promise<string> =>
    (await box.journal('-u', unit)).map(({ MESSAGE }) => String(MESSAGE)).join('\n');
  /** How many rules of units are in the kernel. */
  const count = async (): Promise<number> =>
    (await box.run(['nft', 'list', 'ruleset'])).split('socket cgroupv2').length - 1;

  before(async () => {
    box = await bootContainer({
      files: {
        '/usr/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
        [`/etc/systemd/system/${unit}`]: packaged(unit),
        '/etc/sysusers.d/netsteward-cgroup-nft.conf': packaged('netsteward-cgroup-nft.sysusers.conf'),
        '/etc/systemd/system/mail.service': sleeper,
        '/etc/systemd/system/web.service': sleeper,
        '/etc/nftables.conf': rules,
      },
    });
    await box.run(['systemd-sysusers']);
    await box.run(['nft', '-f', '/etc/nftables.conf']);
  });
  after(() => box?.stop());

  test('a unit that starts has its rule, and again after its restart', async () => {
    await box.run(['systemctl', 'start', unit, 'mail.service']);
    await eventually('the rule is there', async () => (await count()) === 1, { seconds: 60 });
    await box.run(['systemctl', 'restart', 'mail.service']);
    // By name: nft knows no name for the number of a cgroup that is gone.
    await eventually('the rule matches it', async () =>
      (await box.run(['nft', 'list', 'ruleset'])).includes('"system.slice/mail.service"'),
    );
    assert.doesNotMatch(await said(), /not permitted|denied/);
  });

  test('it is nobody but its own user, with two capabilities and the highest priority', async () => {
    const pid = await property('MainPID');
    const facts = await box.read(`/proc/${pid}/status`);
    assert.doesNotMatch(facts, /^Uid:\t0/m);
    // CAP_NET_ADMIN 12, CAP_SYS_NICE 23 (linux/capability.h).
    assert.match(facts, /^CapEff:\t0{10}801000$/m);
    assert.match(facts, /^NoNewPrivs:\t1$/m);
    const fields = (await box.read(`/proc/${pid}/stat`)).replace(/^.*\) /s, '').split(' ');
    // proc(5), /proc/PID/stat: nice is the 19th field, the scheduling policy the 41st; SCHED_RR is 2.
    assert.deepEqual([fields[16], fields[38]], ['-20', '2']);
  });

  test('a reload takes the rules of a changed file, and a stop leaves them', async () => {
    await box.run(['systemctl', 'start', 'web.service']);
    await box.write('/etc/nftables.conf', rules + (rules.split('\n').at(-2) ?? '').replaceAll('mail', 'web'));
    await box.run(['systemctl', 'reload', unit]);
    await eventually('both rules are there', async () => (await count()) === 2);
    await box.run(['systemctl', 'stop', unit]);
    assert.deepEqual([await property('Result'), await property('ExecMainStatus')], ['success', '0']);
    assert.equal(await count(), 2);
  });
});
