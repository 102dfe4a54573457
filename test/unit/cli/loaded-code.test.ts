/** What a command loads: help must come at once, so it loads nothing that is heavy or native. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { checkout, mainJs } from '../../checkout.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-loaded-'));
after(() => rmSync(folder, { recursive: true }));
const record = join(folder, 'record');

// All the ways by which code comes into a process: import (hooks of node:module), require, native libraries, optional builtins.
const hooks = `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(record)}, url + '\\n');
  return next(url, context);
}`;
const preload = join(folder, 'preload.mjs');
writeFileSync(
  preload,
  `import { appendFileSync } from 'node:fs';
import Module, { register } from 'node:module';
const note = (text) => appendFileSync(${JSON.stringify(record)}, text + '\\n');
const patch = (object, name, text) => {
  const original = object[name];
  object[name] = function (...args) { note(text(args)); return original.apply(this, args); };
};
patch(Module, '_load', ([request]) => 'require ' + request);
patch(process, 'dlopen', ([, path]) => 'native ' + path);
patch(process, 'getBuiltinModule', ([name]) => 'builtin ' + name);
register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}));
`,
);

/** Everything that this program loads, one thing a line; `code`: that program's exit code. */
function loaded(program: readonly string[], code = 0): string {
  writeFileSync(record, '');
  const { status, stderr } = spawnSync(process.execPath, ['--import', pathToFileURL(preload).href, ...program], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, code, stderr);
  return readFileSync(record, 'utf8');
}

const packages = (lines: string): string[] => [
  ...new Set([...lines.matchAll(/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)/g)].map(([, name = '']) => name)),
];

test('the record knows each way in', () => {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { createRequire } from 'node:module';
const require = createRequire(${JSON.stringify(join(checkout, 'package.json'))});
await import(require.resolve('valibot'));
require('koffi');
process.getBuiltinModule('node:sqlite');
`,
  );
  const lines = loaded([program]);
  assert.ok(packages(lines).includes('valibot'), lines);
  assert.match(lines, /^require koffi$/m);
  assert.match(lines, /^native .*koffi.*\.node$/m);
  assert.match(lines, /^builtin node:sqlite$/m);
});

test('help of every command loads commander, and nothing native, no other package, no adapter and no module', () => {
  for (const words of [
    ['--help'],
    ['help'],
    ['--version'],
    ...[
      'run',
      'check',
      'status',
      'reload',
      'nbrpc',
      'cgroup-nft',
      'lab',
      'nft-agent',
      'events',
      'watch',
      'metrics',
      'page',
      'dnstest',
      'completion',
    ].map((name) => [name, '--help']),
    ['lab', 'up', '--help'],
    ['cgroup-nft', 'explain', '--help'],
    ...[[], ['serve'], ['send'], ['keygen'], ['check'], ['status']].map((words) => ['dyndns', ...words, '--help']),
    ['help', 'lab', 'censor'],
  ]) {
    const lines = loaded([mainJs, ...words]);
    assert.deepEqual(packages(lines), ['commander'], words.join(' '));
    assert.doesNotMatch(lines, /^(?:native|builtin) |sqlite|undici|koffi/m, words.join(' '));
    const own = [...lines.matchAll(/\/src\/(\S+)\.js$/gm)].map(([, path]) => path ?? '');
    assert.ok(own.includes(words[0] === 'run' ? 'cli/program-run' : 'cli/program'), lines);
    assert.deepEqual(
      own.filter(
        (path) =>
          /^(?:system\/linux|nbrpc|cgroup-nft|dyndns|supervisor)\//.test(path) && path !== 'supervisor/defaults',
      ),
      [],
      words.join(' '),
    );
  }
});

test('completion loads no more than help does', () => {
  assert.deepEqual(packages(loaded([mainJs, 'completion', 'bash'])), ['commander']);
});

test('check loads what parses a configuration; neither resolver, http client, database, log nor anything native', () => {
  writeFileSync(join(folder, 'good.toml'), '[nbrpc]\ncheck_lists = ["/x"]\n');
  const lines = loaded([mainJs, 'check', '-c', 'good.toml']);
  const names = packages(lines);
  assert.ok(names.includes('valibot') && names.includes('toml-eslint-parser'), names.join());
  for (const heavy of ['undici', 'koffi', 'pino', '@photostructure/sqlite']) assert.ok(!names.includes(heavy), heavy);
  assert.doesNotMatch(lines, /^native |^builtin .*sqlite/m);
});

test('a daemon that is not there is told without a package that parses configurations', () => {
  assert.deepEqual(
    packages(loaded([mainJs, 'status', '--socket', join(folder, 'none')], 1)).filter(
      (name) => name === 'toml-eslint-parser',
    ),
    [],
  );
});
