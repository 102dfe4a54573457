/** The command line of the service alone says and does what the whole one does with the same words. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runCli } from '../../../src/cli/program.ts';
import { mainJs } from '../../checkout.ts';

const netsteward = (...args: string[]) => spawnSync(process.execPath, [mainJs, ...args], { encoding: 'utf8' });

test('`run --help` is what `help run` says', () => {
  const { status, stdout } = netsteward('run', '--help');
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: netsteward run /);
  assert.equal(stdout, netsteward('help', 'run').stdout);
});

test('a wrong command line ends as it does with all commands loaded', async (t) => {
  const said: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => said.push(text) > 0);
  const code = await runCli(['run', '--bogus']);
  t.mock.restoreAll();
  const { status, stderr } = netsteward('run', '--bogus');
  assert.equal(status, code);
  assert.equal(code, 64);
  assert.equal(stderr, said.join(''));
});

test('a configuration that cannot be read ends it with its exit code', () => {
  const { status, stderr } = netsteward('run', '-c', '/nowhere/netsteward.toml');
  assert.equal(status, 78);
  assert.match(stderr, /\/nowhere\/netsteward\.toml/);
});
