/** What `npm pack` makes: just what is needed to run, and it runs where nothing else is. Needs the npm registry, or npm's cache. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout, mainJs } from '../checkout.ts';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const folder = mkdtempSync(join(tmpdir(), 'netsteward-package-'));
after(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** A copy of the checkout, with this build in it: packed there, nothing is built anew below tests that run. */
const source = join(folder, 'source');
let packed: Packed;

before(() => {
  for (const name of readdirSync(checkout)) {
    if (!['.git', '.state', 'dist', 'node_modules'].includes(name)) {
      cpSync(join(checkout, name), join(source, name), { recursive: true });
    }
  }
  cpSync(dirname(dirname(mainJs)), join(source, 'dist'), { recursive: true });
  mkdirSync(join(source, '.state'));
  writeFileSync(join(source, '.state', 'left-over'), '');
  const [only] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts'], source)) as Packed[];
  packed = only ?? assert.fail('npm has packed nothing');
});

const wanted = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|netsteward\.example\.toml|nftables\.example\.conf)$/,
  /^docs\/[\w-]+\.(md|sh)$/,
  /^packaging\/[\w.-]+$/,
  /^dist\/src\/[\w/-]+\.js$/,
  /^dist\/web\/[\w./-]+\.(js|css|html|svg|LICENSE)$/,
];

test('the package has what is needed to run, and nothing of tests, benches, sources and maps', () => {
  const paths = packed.files.map(({ path }) => path);
  assert.deepEqual(
    paths.filter((path) => !wanted.some((pattern) => pattern.test(path))),
    [],
  );
  const units = readdirSync(join(checkout, 'packaging')).map((name) => `packaging/${name}`);
  for (const path of ['dist/src/main.js', 'dist/web/index.html', 'LICENSE', 'netsteward.example.toml', ...units]) {
    assert.ok(paths.includes(path), path);
  }
});

test('installed into an empty folder, it runs, checks its example, and its native parts load', () => {
  const place = mkdtempSync(join(folder, 'place-'));
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  run('npm', ['install', '--ignore-scripts', '--omit=dev', ...quiet, join(source, packed.filename)], place);
  const netsteward = join(place, 'node_modules', '.bin', 'netsteward');
  assert.equal(run(netsteward, ['--version'], place).trim(), version);
  const example = join('node_modules', 'netsteward', 'netsteward.example.toml');
  run(netsteward, ['check', '-c', example], place);
  // SQLite is one of the two native parts. Nothing is known yet: an empty line.
  assert.equal(run(netsteward, ['nbrpc', '-d', 'nbrpc.db', '-P'], place), '\n');
  const loaded = 'process.stdout.write(typeof require("koffi").load)';
  assert.equal(run(process.execPath, ['--eval', loaded], join(place, 'node_modules', 'netsteward')), 'function');
});
