/** Real-time scheduling, in processes of their own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const module = new URL('../../../../src/system/linux/realtime.js', import.meta.url).href;

/** Runs `code` with both functions at hand; what it prints, as JSON. */
function run(code: string): Record<string, unknown> {
  const program = `import { takeRealtime, leaveRealtime } from ${JSON.stringify(module)};
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
// proc(5), /proc/PID/stat: rt_priority and policy are the 40th and 41st field, 38th and 39th after the name.
const ranks = 'const stat = require("fs").readFileSync("/proc/self/stat", "utf8").replace(/^.*\\\\) /s, "").split(" "); process.stdout.write(stat.slice(37, 39).join());';
const mine = () => readFileSync('/proc/self/stat', 'utf8').replace(/^.*\\) /s, '').split(' ').slice(37, 39).join();
const childs = () => spawnSync(process.execPath, ['-e', ranks], { encoding: 'utf8' }).stdout;
const limit = () => /Max realtime timeout +(\\S+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1];
${code}`;
  const argv = ['--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a thread has the lowest real-time priority until it leaves; no child has, and one that goes astray is ended', (t) => {
  const seen = run(`const refused = takeRealtime(); const taken = mine(); const child = childs(); leaveRealtime();
process.stdout.write(JSON.stringify({ refused, taken, child, limit: limit(), left: mine() }));`);
  // Policy 2 is SCHED_RR; a machine may forbid it (cpu controller and CONFIG_RT_GROUP_SCHED), and says so.
  if (seen.refused !== undefined) return t.diagnostic(`refused here: ${JSON.stringify(seen.refused)}`);
  assert.deepEqual(seen, { taken: '1,2', child: '0,0', limit: '20000000', left: '0,0' });
});

test('a refusal is given as words, and changes nothing', () => {
  const seen = run(`if (process.getuid() === 0) process.setuid(65534); const refused = takeRealtime();
process.stdout.write(JSON.stringify({ refused, after: mine() }));`);
  assert.deepEqual(seen, { refused: 'operation not permitted', after: '0,0' });
});

test('who may take it and has no capability gets back from it too', (t) => {
  if (process.getuid?.() !== 0) return t.diagnostic('to give up a capability one must have it');
  const seen = run(`const refused = takeRealtime(); process.setuid(65534); leaveRealtime();
process.stdout.write(JSON.stringify({ refused, left: mine() }));`);
  if (seen.refused !== undefined) return t.diagnostic(`refused here: ${JSON.stringify(seen.refused)}`);
  assert.deepEqual(seen, { left: '0,0' });
});
