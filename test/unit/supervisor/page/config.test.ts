/** The table [page]: where it may listen, and what other machines take. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageFiles } from '../../../../src/cli/compose-page.ts';
import { NetstewardError } from '../../../../src/core/errors.ts';
import type { ConfigTable } from '../../../../src/core/module.ts';
import { bindingText } from '../../../../src/supervisor/page/binding.ts';
import { parsePage } from '../../../../src/supervisor/page/config.ts';
import { readToken } from '../../../../src/supervisor/page/token.ts';
import { runningPage, wayTo } from '../../../../src/supervisor/page/where.ts';

/** `listen` as text, or the problems. */
function parsed(table: ConfigTable): string | readonly string[] {
  const result = parsePage(table);
  if (result.ok) return bindingText(result.config.listen);
  return result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('an empty table is a unix socket; loopback addresses are taken as they are', () => {
  assert.equal(parsed({}), 'unix:/run/netsteward/page.sock');
  for (const listen of ['unix:/tmp/p', '127.0.0.1:8053', '127.1.2.3:0', '[::1]:65535']) {
    assert.equal(parsed({ listen }), listen);
  }
});

test('what other machines reach takes allow_remote and a token, and both are named', () => {
  for (const listen of ['192.0.2.1:80', '0.0.0.0:80', '[::]:80', '[::ffff:127.0.0.1]:80']) {
    assert.match(parsed({ listen, token_file: '/t' })[0] ?? '', /^listen: .*loopback.*allow_remote = true/, listen);
    assert.match(parsed({ listen, allow_remote: true })[0] ?? '', /^token_file: is needed/, listen);
    assert.equal(parsed({ listen, allow_remote: true, token_file: '/t' }), listen);
  }
});

test('what is no place to listen is refused, with what is one', () => {
  for (const listen of [
    '',
    'localhost:8053',
    '127.0.0.1',
    '127.0.0.1:65536',
    '::1:8053',
    '[127.0.0.1]:80',
    '127.1:80',
    'unix:p.sock',
    'unix:/folder/',
    `unix:/${'x'.repeat(95)}`,
    '/run/p.sock',
    8053,
  ]) {
    assert.match(parsed({ listen })[0] ?? '', /^listen: must be .*"127\.0\.0\.1:8053"/, String(listen));
  }
  for (const mode of ['0999', '66', 'rw', '0440', 432]) {
    assert.match(parsed({ mode })[0] ?? '', /^mode: must/, String(mode));
  }
  assert.match(parsed({ colour: 'red' })[0] ?? '', /^colour: unknown key/);
});

test('a token file that others may read, and one without a good token, is refused with what to do', async () => {
  const file = (text: string, mode: number) => ({ readSecret: async () => ({ text, mode: 0o100000 | mode }) });
  const good = 'a-token-of-20-letters';
  assert.equal(await readToken('/t', file(`${good}\n`, 0o640)), good);
  assert.equal(await readToken(undefined, file('', 0)), undefined);
  const problem = async (text: string, mode: number): Promise<string> => {
    const error: unknown = await readToken('/t', file(text, mode)).catch((each: unknown) => each);
    assert.ok(error instanceof NetstewardError && error.code === 'page-token-file');
    return `${error.message} → ${error.remedy}`;
  };
  assert.match(await problem(good, 0o644), /can be read by everybody → Run: chmod o= \/t/);
  for (const text of ['', 'short', 'two words of some length', `${good}\n${good}`, 'x'.repeat(513)]) {
    assert.match(await problem(text, 0o600), /must be one word of 16 to 512/, text);
  }
});

test('a FIFO as token file is refused, and not waited for', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-token-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  execFileSync('mkfifo', ['-m', '600', file]);
  await assert.rejects(readToken(file, pageFiles), { code: 'page-token-file' });
});

test('the way to the page is a URL, or the command that opens it', () => {
  const way = (listen: string): string => {
    const module = { name: 'page', health: { detail: { listen, watchers: 0 } } };
    return wayTo(runningPage({ modules: [module] } as never), 'router').join('\n');
  };
  assert.match(way('unix:/run/p.sock'), /^ {2}ssh -L 8053:\/run\/p\.sock router\n {2}http:\/\/localhost:8053\/$/m);
  assert.match(way('127.0.0.1:99'), /^http:\/\/127\.0\.0\.1:99\/\n.*\n {2}ssh -L 8053:127\.0\.0\.1:99 router$/m);
  assert.match(way('192.0.2.1:99'), /^http:\/\/192\.0\.2\.1:99\/\n.*token_file/);
  assert.throws(() => runningPage({ modules: [] }), { code: 'page-off', remedy: /\[page\]/ });
});
