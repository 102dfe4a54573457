/** The client's units under real systemd: by timer and by watching, as a user without rights, heard by a real server. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkout } from '../checkout.ts';
import { bootContainer, type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';

/** The contract's first key. */
const seed = '1k_Nf7FSEWHC2I65DfI2SAhtk1q0Ps9RcLy9PinyDLs=';
const zoneText = '# dynamic: 0 jLxAZY-vnJfubHr8srYy3mIN2_mCi_OExUwHOluOlLY=\n+home.example.org:127.0.0.5\n';
const client = 'netsteward-dyndns-client.service';
const timer = 'netsteward-dyndns-client.timer';
const watch = 'netsteward-dyndns-watch.service';

function units(): Record<string, string> {
  return Object.fromEntries(
    [client, timer, watch].map((name) => [
      `/etc/systemd/system/${name}`,
      readFileSync(join(checkout, 'packaging', name), 'utf8'),
    ]),
  );
}

describe('the units of the client in packaging/', { skip }, () => {
  let box: Container;

  const heard = async (): Promise<number> =>
    (await box.journal('-u', 'server.service')).filter(({ MESSAGE }) => String(MESSAGE).includes('update-accepted'))
      .length;

  const hears = async (more: number, before: number): Promise<void> => {
    try {
      await eventually(`the server has ${more} more`, async () => (await heard()) >= before + more);
    } catch (error) {
      const said = await box.journal('-u', client, '-u', watch);
      throw new Error(`${error}\n${said.map(({ MESSAGE }) => MESSAGE).join('\n')}`);
    }
  };

  before(async () => {
    box = await bootContainer({
      files: {
        ...units(),
        '/usr/bin/netsteward': '#!/bin/sh\nexec /usr/local/bin/node /opt/netsteward/dist/src/main.js "$@"\n',
        '/etc/netsteward/dyndns.key': seed,
        '/etc/netsteward/dyndns-client.env': 'DESTINATION=127.0.0.1\nOPTIONS=\n',
        '/srv/zone/data': zoneText,
        '/etc/systemd/system/server.service':
          '[Service]\nType=notify\nExecStart=/usr/bin/netsteward dyndns serve --systemd /srv/zone/data\n',
      },
    });
    // As keygen -o makes it: root's alone.
    await box.run(['chmod', '600', '/etc/netsteward/dyndns.key']);
    await box.run(['systemctl', 'start', 'server.service']);
  });
  after(() => box?.stop());

  test('the service sends one round and ends well, with a key that its user cannot read in /etc', async () => {
    const before = await heard();
    await box.run(['systemctl', 'start', client]);
    await hears(1, before);
    assert.match(await box.read('/srv/zone/data'), /^\+home\.example\.org:127\.0\.0\.1$/m);
    const said = (await box.journal('-u', client)).map(({ MESSAGE }) => String(MESSAGE)).join('\n');
    assert.doesNotMatch(said, /others may read|warn/i);
  });

  test('the timer starts it again and again', async () => {
    // Ten minutes are too long for a test.
    const often = '[Timer]\nOnBootSec=\nOnActiveSec=0\nOnUnitActiveSec=1s\nAccuracySec=100ms\nRandomizedDelaySec=0\n';
    await box.write(`/etc/systemd/system/${timer}.d/often.conf`, often);
    await box.run(['systemctl', 'daemon-reload']);
    const before = await heard();
    await box.run(['systemctl', 'start', timer]);
    await hears(2, before);
    await box.run(['systemctl', 'stop', timer]);
  });

  test('the watcher sends at its start, when an address appears, and when it is told to; it ends well', async () => {
    let before = await heard();
    await box.run(['systemctl', 'start', watch]);
    await hears(1, before);
    before = await heard();
    await box.run(['ip', 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'lan']);
    await box.run(['ip', 'address', 'add', '198.51.100.7/24', 'dev', 'wan']);
    await box.run(['ip', 'link', 'set', 'wan', 'up']);
    await hears(1, before);
    before = await heard();
    await box.run(['systemctl', 'reload', watch]);
    await hears(1, before);
    const pid = (await box.run(['systemctl', 'show', '-P', 'MainPID', watch])).trim();
    const facts = await box.read(`/proc/${pid}/status`);
    assert.match(facts, /^CapEff:\t0+$/m);
    assert.doesNotMatch(facts, /^Uid:\t0/m);
    await box.run(['systemctl', 'stop', watch]);
    assert.equal((await box.run(['systemctl', 'show', '-P', 'Result', watch])).trim(), 'success');
  });

  test('the timer and the watcher exclude each other', async () => {
    await box.run(['systemctl', 'start', watch]);
    await box.run(['systemctl', 'start', timer]);
    await eventually(
      'the watcher ends',
      async () => (await box.exec(['systemctl', 'is-active', watch])).stdout === 'inactive\n',
    );
    await box.run(['systemctl', 'stop', timer]);
  });
});
