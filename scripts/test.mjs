/**
 * `npm test`: set-up, then formatting, lint, types (the build), and all tests; ends with the counts.
 * `npm test -- unit/core kernel` runs just the test files whose path below test/ starts so, without format and lint.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root, run, say, setUp } from './setup.mjs';

const wanted = process.argv.slice(2);
const onCi = process.env.CI === 'true';
setUp({ forTests: true });

if (wanted.length === 0) {
  for (const [name, args] of [
    ['biome', ['check', '.']],
    ['oxlint', ['--type-aware']],
  ]) {
    say(`lint: ${name} ${args.join(' ')}`);
    if (run(join(root, 'node_modules', '.bin', name), args) !== 0) process.exit(1);
  }
}

const built = join(root, 'dist', 'test');
const files = readdirSync(built, { recursive: true })
  .filter((file) => file.endsWith('.test.js'))
  // A file whose source is gone is a left-over of an earlier build.
  .filter((file) => existsSync(join(root, 'test', file.replace(/\.js$/, '.ts'))))
  .filter(
    (file) =>
      wanted.length === 0 || wanted.some((start) => file.startsWith(start.replace(/^test\//, '').replace(/\.ts$/, ''))),
  )
  .sort();
if (files.length === 0) {
  process.stderr.write(`no test file matches ${wanted.join(' ')}\n`);
  process.exit(1);
}

const folder = join(root, '.state');
mkdirSync(folder, { recursive: true });

/** What was not tested, with the reason that the test gives. */
const untested = [];

/** How many tests and suites a TAP text skips; a suite that is skipped whole is not in node's own count of skipped. */
function skippedIn(text) {
  const lines = [...text.matchAll(/^ *ok \d+ - (.*?) # SKIP ?(.*)$/gm)].map(([, name, why]) => `${name}: ${why}`);
  untested.push(...lines);
  return lines.length;
}

const none = { pass: 0, fail: 0, skipped: 0, todo: 0 };

/** What failed at first and passed when its file was run once more. */
const unsteady = [];

/** Runs one group; gives its counts. */
function runGroup({ name, pattern, concurrency, first }) {
  const members = files.filter((file) => pattern.test(file)).map((file) => relative(root, join(built, file)));
  if (members.length === 0) return none;
  say(`${name}: ${members.length} ${members.length === 1 ? 'file' : 'files'}`);
  // If that fails, the tests that build on it say so.
  if (first !== undefined) run(process.execPath, [join(built, first)]);
  // One after the other: each has servers of its own on the machine's two cores.
  if (concurrency === 1) return members.map((file) => runTwice([file], 1)).reduce(added, none);
  return runTwice(members, concurrency);
}

function added(one, other) {
  return Object.fromEntries(Object.keys(none).map((key) => [key, one[key] + other[key]]));
}

/**
 * Files, and those that fail once more: real servers, threads and a real systemd race for two cores that others use too. A
 * failure that does not repeat is named at the end; a defect repeats.
 */
function runTwice(members, concurrency) {
  const first = runFiles(members, concurrency);
  if (first.fail === 0) return first;
  const failed = members.length === 1 ? members : first.failed.filter((file) => members.includes(file));
  if (failed.length === 0) return first;
  say(`failed: ${failed.join(', ')}: once more`);
  const skippedBefore = untested.length;
  const second = runFiles(failed, 1);
  untested.length = skippedBefore;
  if (second.fail > 0) return { ...first, fail: second.fail };
  unsteady.push(...failed);
  return { ...first, pass: first.pass + first.fail, fail: 0 };
}

/** The files, relative to the root, of what a TAP text says has failed. */
function failedIn(text) {
  const places = [...text.matchAll(/^ *not ok .*\n *---\n(?: .*\n)*? *location: '(.+?):\d+:\d+'$/gm)];
  return [...new Set(places.map(([, file]) => relative(root, file)))];
}

/** In one `node --test`. */
function runFiles(members, concurrency) {
  const tap = join(folder, `test-${process.pid}.tap`);
  const { status } = spawnSync(
    process.execPath,
    [
      '--test',
      '--test-timeout=240000',
      `--test-concurrency=${concurrency}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=tap',
      `--test-reporter-destination=${tap}`,
      ...members,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  const text = readFileSync(tap, 'utf8');
  const count = (word) => Number(text.match(new RegExp(`^# ${word} (\\d+)$`, 'm'))?.[1] ?? 0);
  const counts = {
    pass: count('pass'),
    fail: count('fail') + count('cancelled'),
    skipped: skippedIn(text),
    todo: count('todo'),
    failed: failedIn(text),
  };
  if (status !== 0 && counts.fail === 0) counts.fail = 1;
  if (members.length > 0 && counts.pass + counts.fail + counts.skipped === 0) counts.fail = 1;
  return counts;
}

const groups = [
  { name: 'unit and contract tests', pattern: /^(unit|contract)\//, concurrency: 2 },
  { name: 'kernel tests', pattern: /^kernel\//, concurrency: 1 },
  // On a new machine their Debian trees are made first: a minute or two that are no test's.
  { name: 'system tests', pattern: /^system\//, concurrency: 1, first: 'system/make-trees.js' },
];
const total = groups.map(runGroup).reduce(added, none);
for (const file of unsteady) process.stdout.write(`unsteady: ${file} failed, and passed when it was run once more\n`);
for (const line of untested) process.stdout.write(`skipped: ${line}\n`);
process.stdout.write(`\n${total.pass} passed, ${total.fail} failed, ${total.skipped + total.todo} skipped\n`);
if (onCi && total.skipped + total.todo > 0) {
  process.stderr.write('on CI nothing may be skipped\n');
  process.exit(1);
}
process.exit(total.fail === 0 ? 0 : 1);
