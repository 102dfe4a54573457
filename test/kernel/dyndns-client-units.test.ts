/** systemd's own opinion of the units in packaging/. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkout } from '../checkout.ts';

const present = spawnSync('systemd-analyze', ['--version']).status === 0;
const skip = present ? false : 'NOT TESTED: systemd-analyze is not installed';
const units = [
  'netsteward-dyndns-client.service',
  'netsteward-dyndns-client.timer',
  'netsteward-dyndns-watch.service',
  'netsteward-dyndns.service',
  'netsteward-dyndns.socket',
];

function verify(change: (text: string) => string) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-units-'));
  try {
    const paths = units.map((name) => {
      const text = readFileSync(join(checkout, 'packaging', name), 'utf8');
      // systemd-analyze wants the program to be there.
      writeFileSync(join(folder, name), change(text.replace('/usr/bin/netsteward', '/bin/sh')));
      return join(folder, name);
    });
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_LOG_COLOR: '0' },
    });
    const said = (stdout + stderr).split('\n').filter((line) => line.includes('netsteward-dyndns'));
    return { status, said };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('systemd-analyze verify finds nothing wrong with the units', { skip }, () => {
  assert.deepEqual(
    verify((text) => text),
    { status: 0, said: [] },
  );
});

test('and would find it', { skip }, () => {
  const { said } = verify((text) =>
    text.replace('OnUnitActiveSec=10min', 'OnUnitActiveSec=often').replace('Type=exec', 'Typ=exec'),
  );
  assert.match(said.join('\n'), /often/);
  assert.match(said.join('\n'), /Typ/);
});

test('the units start the command line that this build has', () => {
  for (const name of ['netsteward-dyndns-client.service', 'netsteward-dyndns-watch.service']) {
    const text = readFileSync(join(checkout, 'packaging', name), 'utf8');
    assert.match(
      text,
      /^ExecStart=\/usr\/bin\/netsteward dyndns send (?:--watch )?\$OPTIONS \$\{DESTINATION\} \$\{CREDENTIALS_DIRECTORY\}\/dyndns\.key$/m,
    );
    assert.match(text, /^LoadCredential=dyndns\.key:\/etc\/netsteward\/dyndns\.key$/m);
  }
});
