/** `netsteward nbrpc explain`, `history` and `plan` beside a running daemon with real sets, and without one. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HostExplanation } from '../../src/nbrpc/explain.ts';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

function inside(): void {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-asking-'));
  const config = join(folder, 'netsteward.toml');
  const list = join(folder, 'services.list');
  const socket = join(folder, 'control.sock');
  const stateFile = join(folder, 'nbrpc.db');
  let service: ChildProcess;

  function nbrpc(...args: string[]): string {
    const { status, stdout, stderr } = asked(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  function asked(...args: string[]) {
    const all = ['nbrpc', ...args, '--socket', socket, '--config', config];
    return spawnSync(process.execPath, [mainJs, ...all], { encoding: 'utf8' });
  }

  before(async () => {
    writeFileSync(
      config,
      `[history]
file = "history.db"
[control]
socket = "control.sock"
[nbrpc]
check_lists = ["services.list"]
state = "nbrpc.db"
timers.pass = "1h"
`,
    );
    // An address is its own name, and neither needs a check: there is no network here.
    writeFileSync(list, '# around\n9.9.9.9=na\n8.8.8.8:dns\n');
    service = spawn(process.execPath, [mainJs, 'run', '-c', config], { stdio: 'ignore' });
    // The runner's time limit ends it.
    for (;;) {
      const { stdout } = asked('explain', '9.9.9.9', '--json');
      const told = stdout === '' ? undefined : (JSON.parse(stdout) as { kernel?: Record<string, unknown> });
      if (JSON.stringify(told?.kernel ?? '').includes('9.9.9.9')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  after(() => {
    service?.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  test('an explanation has the list line, the rule and what the kernel has', () => {
    const text = nbrpc('explain', '9.9.9.9');
    assert.match(text, /^9\.9\.9\.9 goes through the tunnel$/m);
    assert.ok(text.includes(`${list}:2: 9.9.9.9=na`), text);
    assert.match(text, /the list says "=na": it is never checked, and always goes around/);
    assert.match(text, /goes through the tunnel: the kernel has it in inet netsteward-nbrpc blocked4$/m);
    assert.match(nbrpc('explain', '8.8.8.8'), /^8\.8\.8\.8 goes direct$/m);
    const told = JSON.parse(nbrpc('explain', '9.9.9.9', '--json')) as HostExplanation & { kernel: unknown };
    assert.deepEqual(told.kernel, { blocked4: ['9.9.9.9'], blocked6: [] });
    assert.deepEqual([told.running, told.state], [true, 'na']);
  });

  test('a host that no list has is told with those like it', () => {
    for (const question of ['explain', 'history']) {
      const { status, stderr } = asked(question, '9.9.9.8');
      assert.equal(status, 1);
      assert.match(stderr, /9\.9\.9\.8 is in no check list/);
      assert.match(stderr, /Listed are: 9\.9\.9\.9\./);
    }
  });

  test('the history has the state and its share', () => {
    const text = nbrpc('history', '9.9.9.9', '--days', '1');
    assert.match(text, /now +tunnel +na/);
    assert.match(text, /1 change of route/);
  });

  test('a plan has what an edited list would flip, and changes nothing', () => {
    assert.match(nbrpc('plan'), /^none of 2 services would change its route$/m);
    assert.match(
      nbrpc('plan', '--set', 'nbrpc.default_policy="noroute"'),
      /^9\.9\.9\.9 +tunnel +direct +9\.9\.9\.9 +its policy: af-all → noroute$/m,
    );
    writeFileSync(list, '8.8.8.8=na\n');
    const text = nbrpc('plan');
    assert.match(text, /^8\.8\.8\.8 +direct +tunnel +8\.8\.8\.8 +its check: dns → https=na$/m);
    assert.match(text, /^9\.9\.9\.9 +tunnel +direct +9\.9\.9\.9 +in no check list any more$/m);
    const dry = spawnSync(process.execPath, [mainJs, 'reload', '--dry-run', '--socket', socket], { encoding: 'utf8' });
    assert.equal(dry.stdout, text);
    assert.match(nbrpc('explain', '9.9.9.9'), /^9\.9\.9\.9 goes through the tunnel$/m);
  });

  test('without a daemon all of it comes from the files, which stay as they are, and says so', async () => {
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    await ended;
    const files = () => [stateFile, join(folder, 'history.db')].map((file) => readFileSync(file, 'base64'));
    const kept = files();
    const text = nbrpc('explain', '9.9.9.9');
    assert.ok(text.includes(`no netsteward runs: this is what ${stateFile} says`), text);
    assert.match(text, /^9\.9\.9\.9 goes through the tunnel$/m);
    const past = nbrpc('history', '9.9.9.9', '--days', '1');
    assert.match(past, /no netsteward runs: this is what .*history\.db says/);
    assert.match(past, /now +unknown +netsteward was off/);
    assert.match(nbrpc('plan'), /^9\.9\.9\.9 +tunnel +direct +9\.9\.9\.9 +in no check list any more$/m);
    assert.match(asked('explain', '9.9.9.8').stderr, /Listed are: 9\.9\.9\.9\./);
    assert.match(asked('history', '9.9.9.8').stderr, /There are: 9\.9\.9\.9\./);
    assert.deepEqual(files(), kept);
  });
}

if (insideNamespace) inside();
else test('questions to nbrpc, in a namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
