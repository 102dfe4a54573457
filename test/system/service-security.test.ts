/** What systemd itself says of the units in packaging/: how exposed each is, and that it understands every line. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkout } from '../checkout.ts';

const packaging = join(checkout, 'packaging');
const missing = spawnSync('systemd-analyze', ['--version']).status !== 0;
const skip = missing ? 'NOT TESTED: systemd-analyze is not installed (Debian package systemd)' : false;

const hardened = 'netsteward.service with netsteward-hardened.conf';

/** systemd-analyze's overall exposure level, from 0 (good) to 10, in tenths; and what it may be at most. */
const limits: Readonly<Record<string, number>> = {
  'netsteward.service': 20,
  'netsteward-cgroup-nft.service': 20,
  'netsteward-nft.service': 20,
  'netsteward-guard.service': 20,
  'netsteward-dyndns.service': 20,
  'netsteward-dyndns-client.service': 20,
  'netsteward-dyndns-watch.service': 20,
  'netsteward-dnstest.service': 20,
  'netsteward-dnstest-daemon.service': 20,
  'netsteward-resolver-watch.service': 20,
  [hardened]: 15,
};

const folder = mkdtempSync(join(tmpdir(), 'netsteward-units-'));
after(() => rmSync(folder, { recursive: true }));

/** The unit in a file, with a program that is there; what a drop-in says comes after it, as systemd reads them. */
function staged(unit: string): string {
  const parts = unit === hardened ? ['netsteward.service', 'netsteward-hardened.conf'] : [unit];
  const path = join(folder, parts[0] ?? '');
  const texts = parts.map((file) => readFileSync(join(packaging, file), 'utf8'));
  writeFileSync(path, texts.join('\n').replaceAll('/usr/bin/netsteward', '/bin/true'));
  return path;
}

for (const [unit, most] of Object.entries(limits)) {
  test(`${unit} is exposed by ${most / 10} of 10 at most`, { skip }, () => {
    const args = ['security', '--offline=yes', `--threshold=${most}`, '--no-pager', staged(unit)];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    assert.match(stdout, /Overall exposure level/, stderr);
    assert.equal(
      status,
      0,
      stdout
        .split('\n')
        .filter((line) => !line.startsWith('✓'))
        .join('\n'),
    );
  });

  test(`systemd understands every line of ${unit}`, { skip }, () => {
    const path = staged(unit);
    const args = ['verify', '--recursive-errors=no', '--man=no', path];
    const { status, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    assert.deepEqual([status, stderr.split('\n').filter((line) => line.includes(path))], [0, []]);
  });
}

test('every user that a unit runs as is made by a file of packaging/', () => {
  const files = readdirSync(packaging).map((name) => ({ name, text: readFileSync(join(packaging, name), 'utf8') }));
  const made = files.filter(({ name }) => name.endsWith('.sysusers.conf')).map(({ text }) => text);
  for (const { name, text } of files) {
    const [, user] = /^User=(.+)$/m.exec(text) ?? [];
    if (user === undefined) continue;
    assert.ok(
      made.some((each) => new RegExp(`^u ${user} `, 'm').test(each)),
      `${name}: ${user}`,
    );
  }
});
