/** The priority of a process, in one of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const module = new URL('../../../../src/system/linux/priority.js', import.meta.url).href;

/** Runs `code` with setNice() at hand; what it prints, as JSON. */
function run(code: string, { leader = false } = {}): unknown {
  const program = `import { setNice } from ${JSON.stringify(module)};
import { existsSync, readdirSync, readFileSync } from 'node:fs';
// proc(5), /proc/PID/stat: nice is the 19th field, the 17th after the name.
const nices = () => readdirSync('/proc/self/task').map((thread) =>
  Number(readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').replace(/^.*\\) /s, '').split(' ')[16]));
const session = () => existsSync('/proc/self/autogroup') ? readFileSync('/proc/self/autogroup', 'utf8').split(' ').at(-1).trim() : 'none';
const print = (value) => process.stdout.write(JSON.stringify(value));
${code}`;
  const argv = [...(leader ? ['setsid', '--wait'] : []), process.execPath, '--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('all threads of the process get it, those that Node has begun before too', () => {
  const { reason, before, after } = run(
    `const before = nices(); const reason = setNice(7); print({ reason, before, after: nices() });`,
  ) as { reason?: string; before: number[]; after: number[] };
  assert.equal(reason, undefined);
  assert.ok(before.length > 1 && !before.includes(7), 'Node has threads');
  assert.deepEqual([...new Set(after)], [7]);
});

test('a refusal is given as words, and changes nothing', () => {
  const { reason, after } = run(
    `if (process.getuid() === 0) process.setuid(65534); const reason = setNice(-20); print({ reason, after: nices() });`,
  ) as { reason?: string; after: number[] };
  assert.equal(reason, 'permission denied');
  assert.ok(!after.includes(-20));
});

test('a session of its own gets it too, one that it shares with others never', () => {
  const code = `const before = session(); setNice(6); print({ before, after: session() });`;
  const shared = run(code) as { before: string; after: string };
  assert.equal(shared.after, shared.before);
  const own = run(code, { leader: true }) as { before: string; after: string };
  // Not every kernel has autogroups.
  assert.equal(own.after, own.before === 'none' ? 'none' : '6');
});
