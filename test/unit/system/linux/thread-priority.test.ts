/** The priority of one thread, in a process of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const module = new URL('../../../../src/system/linux/thread-priority.js', import.meta.url).href;

/** Runs `code` in a worker thread of a new program, with setThreadNice() at hand; what it gives to print(), as JSON. */
function run(code: string): unknown {
  const worker = `import { setThreadNice } from ${JSON.stringify(module)};
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
// proc(5), /proc/PID/stat: nice is the 19th field, the 17th after the name.
const niceOf = (stat) => Number(stat.replace(/^.*\\) /s, '').split(' ')[16]);
const own = () => niceOf(readFileSync('/proc/thread-self/stat', 'utf8'));
const all = () => readdirSync('/proc/self/task').map((thread) => niceOf(readFileSync('/proc/self/task/' + thread + '/stat', 'utf8')));
const child = () => niceOf(spawnSync('cat', ['/proc/self/stat'], { encoding: 'utf8' }).stdout);
const print = (value) => process.stdout.write(JSON.stringify(value));
${code}`;
  const program = `import { Worker } from 'node:worker_threads';
new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)})));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('the thread that asks for a lower priority has it, no other thread has, and its programs have it too', () => {
  const { reason, others, own, child } = run(
    `const reason = await setThreadNice(7);
    print({ reason, own: own(), others: all().filter((nice) => nice === 7).length, child: child() });`,
  ) as { reason?: string; others: number; own: number; child: number };
  assert.equal(reason, undefined);
  assert.deepEqual([own, others, child], [7, 1, 7]);
});

test('a higher one is for the thread and not for its programs, or is refused in words', () => {
  const { reason, own, child } = run(
    `const reason = await setThreadNice(-5); print({ reason, own: own(), child: child() });`,
  ) as { reason?: string; own: number; child: number };
  assert.deepEqual([own, child], reason === undefined ? [-5, 0] : [0, 0]);
  if (process.getuid?.() !== 0) assert.ok(reason === undefined || /permi/.test(reason), reason);
});
