/** When a real systemd says that units began. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { bootContainer, type Container, skip } from './container.ts';

interface Answer {
  readonly now: number;
  readonly found: Readonly<Record<string, number>>;
}

describe('starts of units', { skip }, () => {
  let box: Container;
  before(async () => {
    box = await bootContainer({
      files: {
        '/etc/systemd/system/real.service': '[Service]\nExecStart=sleep 600\n[Install]\nAlias=alias.service\n',
        '/etc/systemd/system/-dash.service': '[Service]\nExecStart=sleep 600\n',
        '/etc/systemd/system/many@.service': '[Service]\nExecStart=sleep 600\n',
      },
    });
  });
  after(() => box?.stop());

  const ask = async (...units: readonly string[]): Promise<Answer> =>
    JSON.parse(await box.run(['node', '/opt/netsteward/dist/test/system/unit-starts-child.js', ...units])) as Answer;

  it('are known for services, by alias and by instance, and go on with each restart', async () => {
    const { now: before } = await ask();
    await box.run(['systemctl', 'enable', '--quiet', 'real.service']);
    const units = ['real.service', '-dash.service', 'many@a\\x2db.service'];
    await box.run(['systemctl', 'start', '--', ...units]);
    const { now, found } = await ask('alias.service', ...units);
    assert.deepEqual(Object.keys(found).sort(), [
      '-dash.service',
      'alias.service',
      'many@a\\x2db.service',
      'real.service',
    ]);
    for (const at of Object.values(found)) assert.ok(at > before && at < now, `${before} < ${at} < ${now}`);
    assert.equal(found['alias.service'], found['real.service']);
    await box.run(['systemctl', 'restart', 'real.service']);
    const again = await ask('real.service');
    assert.ok((again.found['real.service'] ?? 0) > now);
  });

  it('are not known for units without a main process, unknown ones, and names that are none', async () => {
    const units = [
      'init.scope',
      'system.slice',
      'none.service',
      'many@.service',
      '*.service',
      '--help',
      '-dash.service',
    ];
    await box.run(['systemctl', 'start', '--', '-dash.service']);
    assert.deepEqual(Object.keys((await ask(...units)).found), ['-dash.service']);
  });

  it('are known among more units than one question holds', async () => {
    const running = Array.from({ length: 20 }, (_, index) => `many@${index}.service`);
    const stopped = Array.from({ length: 480 }, (_, index) => `many@stopped-${index}.service`);
    await box.run(['systemctl', 'start', ...running]);
    const { found } = await ask(...running.slice(0, 10), ...stopped, ...running.slice(10));
    assert.deepEqual(Object.keys(found).sort(), running.sort());
  });
});
