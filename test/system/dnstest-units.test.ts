/** The units of packaging/ under real systemd: the timer's check restarts a broken unbound, and only then; the watch as a service. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Container } from './container.ts';
import { bootSite, check, daemon, freeze, mainPid, makeDrop, name, packaged, resolver, skip } from './dnstest-site.ts';
import { eventually } from './eventually.ts';

const service = 'netsteward-dnstest.service';
const timer = 'netsteward-dnstest.timer';
const watch = 'netsteward-resolver-watch.service';
const stamp = '/run/netsteward-dnstest.restarted';

const common = `NAME=${name}\n`;
const env = `${common}OPTIONS=--resolver 127.0.0.1 --control 127.0.0.2 --timeout 1s\nRESOLVER_UNIT=${resolver}\n`;
const watching = '-c 1:1:9 --resolver 127.0.0.1 --control 127.0.0.2 --tcp 127.0.0.9:9 --timeout 1s --settle 1s';

describe('the units of dnstest in packaging/', { skip }, () => {
  let box: Container;

  /** Exit status of one run of the service. */
  const runOnce = async (): Promise<number> => {
    await box.exec(['systemctl', 'start', service], { timeout: 60_000 });
    return Number(await box.run(['systemctl', 'show', '--property=ExecMainStatus', '--value', service]));
  };
  const otherThan = (pid: number): Promise<true> =>
    eventually('another unbound', async () => ![0, pid].includes(await mainPid(box)), { seconds: 60 });
  const right = (): Promise<true> => eventually('right again', async () => (await check(box)) === 0, { seconds: 60 });

  before(async () => {
    box = await bootSite({
      ...packaged(service, timer, watch),
      '/etc/netsteward/dnstest.env': env,
      '/etc/netsteward/dnstest-watch.env': `${common}OPTIONS=${watching} --restart ${resolver}\n`,
      // Tests cannot wait for minutes.
      // Nor for the limit of five starts in ten seconds.
      [`/etc/systemd/system/${service}.d/quick.conf`]: '[Unit]\nStartLimitIntervalSec=0\n',
      [`/etc/systemd/system/${timer}.d/quick.conf`]:
        '[Timer]\nOnBootSec=\nOnUnitInactiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n',
    });
  });
  after(() => box?.stop());

  test('a check of a healthy unbound ends well, and leaves it alone', async () => {
    const pid = await mainPid(box);
    assert.equal(await runOnce(), 0);
    assert.equal(await mainPid(box), pid);
  });

  test('a check that fails for any other reason restarts nothing', async () => {
    const pid = await mainPid(box);
    await box.write('/etc/netsteward/dnstest.env', env.replace('--timeout 1s', '--timeout soon'));
    assert.equal(await runOnce(), 2);
    await box.write('/etc/netsteward/dnstest.env', env);
    await box.run(['systemctl', 'stop', daemon]);
    assert.equal(await runOnce(), 1);
    await box.run(['systemctl', 'start', daemon]);
    await right();
    assert.equal(await mainPid(box), pid);
  });

  test('the timer’s check restarts an unbound that was frozen, once an hour', async () => {
    const pid = await mainPid(box);
    await freeze(box);
    await box.run(['systemctl', 'start', timer]);
    await otherThan(pid);
    await right();
    await box.run(['systemctl', 'stop', timer, service]);
    const second = await mainPid(box);
    await makeDrop(box);
    assert.equal(await runOnce(), 53);
    assert.equal(await mainPid(box), second);
    await box.run(['touch', '--date=2 hours ago', stamp]);
    assert.equal(await runOnce(), 53);
    await otherThan(second);
    await right();
  });

  test('the watch is a service that tells when it is ready, and restarts an unbound that was frozen', async () => {
    await box.run(['systemctl', 'start', watch], { timeout: 60_000 });
    const property = async (name: string): Promise<string> =>
      (await box.run(['systemctl', 'show', `--property=${name}`, '--value', watch])).trim();
    assert.equal(await property('StatusText'), '1 resolver(s) watched');
    const pid = await mainPid(box);
    await freeze(box);
    await otherThan(pid);
    await right();
    await box.run(['systemctl', 'stop', watch], { timeout: 60_000 });
    assert.equal(await property('Result'), 'success');
  });

  test('the watch without cures ends with 53, as the original does', async () => {
    await box.write('/etc/netsteward/dnstest-watch.env', `${common}OPTIONS=${watching}\n`);
    await box.run(['systemctl', 'start', watch], { timeout: 60_000 });
    await freeze(box);
    const status = async (): Promise<string> =>
      (await box.run(['systemctl', 'show', '--property=ExecMainStatus', '--value', watch])).trim();
    await eventually('ended with 53', async () => (await status()) === '53', { seconds: 60 });
    await box.run(['systemctl', 'stop', watch]);
    await box.run(['systemctl', 'kill', '--signal=CONT', resolver]);
  });
});
