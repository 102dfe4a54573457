/** `netsteward dyndns check` as a process: every block, key and record, what is wrong where, and its exit codes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mainJs } from '../../checkout.ts';
import { keyA, keyB } from '../dyndns/fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-dyndns-check-'));
after(() => rmSync(folder, { recursive: true }));

const a = keyA.verify.text;
const b = keyB.verify.text;

const check = (...words: readonly string[]) =>
  spawnSync(process.execPath, [mainJs, 'dyndns', 'check', ...words], { cwd: folder, encoding: 'utf8' });

writeFileSync(join(folder, 'sound'), `# dynamic: 1405421249.89 ${a} ${b}\n+a.net:192.0.2.1\n=m.net:192.0.2.1\n`);
const six = `6six.net:${'0'.repeat(31)}1`;
const broken = `.net:192.0.2.1:ns\n\n# dynamic: 0 ${a}\n+b.net:192.0.2.1\n+broken\n\n# dynamic: 0 ${b}\n${six}\n`;
writeFileSync(join(folder, 'broken'), broken);

test('a sound zone is listed with its blocks, keys and records: exit code 0', () => {
  const { status, stdout, stderr } = check('sound');
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    stdout,
    `sound: 1 block(s)\n  line 1: ${keyA.verify.id}, ${keyB.verify.id}, updated 2014-07-15T10:47:29.890Z\n    a.net 192.0.2.1\n`,
  );
  assert.match(check('--records', '=', 'sound').stdout, / {4}a\.net 192\.0\.2\.1\n {4}m\.net 192\.0\.2\.1\n$/);
});

test('what is wrong is told with file and line, the other files are listed all the same: exit code 78', () => {
  const { status, stdout, stderr } = check('broken', 'nowhere', 'sound');
  assert.equal(status, 78);
  const [first, second, third, ...more] = stderr.trimEnd().split('\n');
  assert.match(first ?? '', /^broken:5: error: a \+ record without an address: the block of line 3 takes no update$/);
  assert.match(second ?? '', /^broken:8: error: tinydns-data refuses this line, .*; write :six\.net:28:/);
  assert.match(third ?? '', /^nowhere cannot be read: ENOENT/);
  assert.deepEqual(more, []);
  assert.match(stdout, /^ {2}line 3: \S+, takes no update$/m);
  assert.match(stdout, /^sound: 1 block\(s\)$/m);
  assert.equal(readFileSync(join(folder, 'broken'), 'utf8'), broken);
});

test('for a patched tinydns the lines that only the patch knows are fine', () => {
  writeFileSync(join(folder, 'patched'), `# dynamic: 0 ${b}\n${six}\n`);
  assert.equal(check('patched').status, 78);
  assert.deepEqual(
    [check('--patched-tinydns', 'patched').status, check('--patched-tinydns', 'patched').stderr],
    [0, ''],
  );
});
