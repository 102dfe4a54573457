/** [history] of the configuration: on with sensible bounds unless it says otherwise, and refused with its place where it is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiagnosticError } from '../../../src/core/diagnostic.ts';
import { parseConfiguration } from '../../../src/supervisor/config.ts';
import { FakeModule } from '../../fakes/fake-module.ts';

const registry = new Map([['nbrpc', async () => new FakeModule('nbrpc')] as const]);
const parse = async (table: string) =>
  (
    await parseConfiguration(
      `[nbrpc]\n${table}`,
      { file: 'etc/n.toml', overrides: [], workingDirectory: '/work' },
      registry,
    )
  ).history;

test('without a table there is a history of 30 days and 50 MB', async () => {
  assert.deepEqual(await parse(''), {
    off: false,
    file: '/var/lib/netsteward/history.db',
    max_age: 30 * 86_400_000,
    max_size: 50_000_000,
  });
});

test('sizes have units, and a relative file begins at the folder of the configuration', async () => {
  const history = await parse('[history]\nfile = "h.db"\nmax_size = "1.5GB"\nmax_age = "1h"');
  assert.deepEqual([history.file, history.max_size, history.max_age], ['/work/etc/h.db', 1_500_000_000, 3_600_000]);
  assert.equal((await parse('[history]\nmax_size = "5000 kB"')).max_size, 5_000_000);
});

test('what is wrong is named with its place', async () => {
  for (const [line, message] of [
    ['max_size = 50', /history\.max_size: must be a size in quotes, such as "50MB"/],
    ['max_size = "50"', /history\.max_size: must be a size from 5MB to 100GB/],
    ['max_size = "4MB"', /from 5MB/],
    ['max_size = "50MiB"', /such as "50MB"/],
    ['max_age = "30"', /history\.max_age: must be a duration/],
    ['max_age = "1m"', /history\.max_age: must be between/],
    ['off = "yes"', /history\.off: must be true or false/],
    ['file = ""', /history\.file: must not be empty/],
    ['path = "x"', /history\.path: unknown key/],
  ] as const) {
    await assert.rejects(parse(`[history]\n${line}`), (error: unknown) => {
      assert.ok(error instanceof DiagnosticError);
      assert.match(error.message, message);
      assert.match(error.message, /^etc\/n\.toml:3:\d+: /);
      return true;
    });
  }
});
