/** The polkit rule for cures, with a real polkitd: netsteward.service without a single right restarts its units, and no other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import { bootService, packaged, start, unit } from './netsteward-service.ts';
import { polkitPackages } from './tree.ts';

/** Nobody answers there, so that the cure is tried again and again. */
const config = `[dnstest]
name = "@.test.example"
hash_key = "key"
interval = "1s"
retries = 0
timeout = "5s"
check_timeout = "300ms"
rest = "1s"
calm = "0s"
[dnstest.guard]
uplink = false
[[dnstest.resolver]]
address = "127.0.0.9"
restart = "resolver.service"
settle = "100ms"
`;
const sleeper = '[Service]\nExecStart=/bin/sleep infinity\n';
const rules = '/etc/polkit-1/rules.d/50-netsteward-dnstest.rules';

describe('cures of a service without rights, with polkit', { skip }, () => {
  let box: Container;
  const mainPid = async (name: string): Promise<string> =>
    (await box.run(['systemctl', 'show', '-P', 'MainPID', name])).trim();
  /** As the user of the service, in a service of its own as this one is: no session, nobody to ask for a password. */
  const systemctl = async (...words: string[]): Promise<number> => {
    const run = ['systemd-run', '--quiet', '--wait', '--pipe', '-p', 'User=netsteward', '-p', 'NoNewPrivileges=yes'];
    return (await box.exec([...run, 'systemctl', '--no-ask-password', ...words])).code;
  };
  before(async () => {
    box = await bootService(config, {
      tree: 'trixie',
      packages: polkitPackages,
      files: {
        [`/etc/systemd/system/${unit}.d/hardened.conf`]: packaged('netsteward-hardened.conf'),
        '/etc/systemd/system/resolver.service': sleeper,
        '/etc/systemd/system/other.service': sleeper,
      },
    });
    await box.run(['systemctl', 'start', 'resolver.service', 'other.service', 'polkit.service']);
    await start(box);
  });
  after(() => box?.stop());

  test('without the rule the cure is refused, and the log says so', async () => {
    const before = await mainPid('resolver.service');
    await eventually('the cure was tried', async () =>
      (await box.journal('-u', unit)).some(({ MESSAGE }) =>
        /restart of resolver\.service.*(denied|authentication)/is.test(String(MESSAGE)),
      ),
    );
    assert.equal(await mainPid('resolver.service'), before);
    assert.notEqual(await systemctl('restart', 'resolver.service'), 0);
  });

  test('with the rule that it prints the cure restarts its unit', async () => {
    const rule = await box.run(['netsteward', 'dnstest', 'polkit']);
    assert.match(rule, /"restart resolver\.service"/);
    await box.write(rules, rule);
    await eventually('the rule is in force', async () => (await systemctl('try-restart', 'resolver.service')) === 0);
    const before = await mainPid('resolver.service');
    await eventually('the cure restarts it', async () => (await mainPid('resolver.service')) !== before);
  });

  test('no other unit, no other verb, no other user and no other action', async () => {
    const other = await mainPid('other.service');
    for (const words of [
      ['restart', 'other.service'],
      ['try-restart', unit],
      ['stop', 'resolver.service'],
      ['kill', 'resolver.service'],
      ['reload', 'resolver.service'],
      ['set-property', 'resolver.service', 'CPUWeight=1'],
      ['daemon-reload'],
      ['mask', 'resolver.service'],
      ['start', 'resolver.service', 'other.service'],
    ]) {
      assert.notEqual(await systemctl(...words), 0, words.join(' '));
    }
    const nobody = [
      'systemd-run',
      '--quiet',
      '--wait',
      '--pipe',
      '-p',
      'User=nobody',
      'systemctl',
      '--no-ask-password',
    ];
    assert.notEqual((await box.exec([...nobody, 'restart', 'resolver.service'])).code, 0);
    assert.equal(await mainPid('other.service'), other);
  });
});
