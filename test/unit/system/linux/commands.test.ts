/** Commands that are run for a module: their outcomes, and their end. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { LinuxCommands } from '../../../../src/system/linux/commands.ts';
import type { CommandOutcome } from '../../../../src/system/ports.ts';
import { eventually } from '../../../system/eventually.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-commands-'));
after(() => rm(folder, { recursive: true }));
const commands = new LinuxCommands(systemClock);
const run = (
  argv: readonly string[],
  timeout = 10_000,
  signal = new AbortController().signal,
): Promise<CommandOutcome> => commands.run({ argv, timeout }, signal);

test('a command that ends with 0 is good, and its words reach it as they are', async () => {
  const out = join(folder, 'words');
  assert.deepEqual(await run(['sh', '-c', `printf '%s\\n' "$@" > ${out}`, 'sh', '$(id); x', 'two words']), {
    ok: true,
  });
  assert.equal(await readFile(out, 'utf8'), '$(id); x\ntwo words\n');
});

test('a command that fails tells its code and its last words, without control characters', async () => {
  const failed = await run(['sh', '-c', 'printf "first\\n\\033[31mno socket\\n" >&2; exit 3']);
  assert.ok(!failed.ok);
  assert.match(failed.reason, /^sh: ended with code 3: first; .*no socket$/);
  assert.equal(failed.code, 3);
  assert.ok(!failed.reason.includes('\u001b'));
  const missing = await run(['/nonexistent/command']);
  assert.ok(!missing.ok && missing.reason.includes('ENOENT'));
  const killed = await run(['sh', '-c', 'kill -9 $$']);
  assert.deepEqual(killed, { ok: false, reason: 'sh: ended with SIGKILL' });
});

test('a command that hangs is ended after its time-out, with what it has started', async () => {
  const pids = join(folder, 'pids');
  const hung = await run(['sh', '-c', `sleep 600 & echo $! > ${pids}; wait`], 1500);
  assert.deepEqual(hung, { ok: false, reason: 'sh: did not end within 1.5 s' });
  const pid = (await readFile(pids, 'utf8')).trim();
  // Gone, or dead and not yet reaped by whoever has inherited it.
  await eventually('the end of what it started', async () => {
    const state = (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')).split(') ')[1]?.[0];
    return state === 'Z';
  });
});

test('an aborted signal ends it', async () => {
  const abort = new AbortController();
  const ended = run(['sleep', '600'], 60_000, abort.signal);
  abort.abort();
  assert.deepEqual(await ended, { ok: false, reason: 'sleep: was ended with netsteward' });
});
