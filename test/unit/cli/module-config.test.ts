/** The modules in their places: what parse() makes of their tables gets there as it is, and nbrpc runs in a thread with a limit. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import { composeRegistry } from '../../../src/cli/compose.ts';
import { parseConfiguration } from '../../../src/supervisor/config.ts';
import { checkout } from '../../checkout.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const everyKindOfValue = `[nbrpc]
check_lists = ["/a.list"]
default_policy = "pick.4"
[nbrpc.resolver]
servers = ["9.9.9.9", "[2620:fe::fe]:53"]
[nbrpc.control]
services = ["example.org:https/path=200/204"]
[nbrpc.state_log]
file = "/log"
[[nbrpc.zone]]
format = "rpz"
file = "/zone"
select = '^(?P<name>a|b)\\.example$'
flags = "+>"
reload = ["true"]
[nbrpc.table]
`;

test('a configuration is the same after it was cloned for a thread, and serialized for a process', async () => {
  const registry = composeRegistry(new MemoryLog());
  const texts = [readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8'), everyKindOfValue];
  for (const text of texts) {
    const source = { file: 'n.toml', overrides: [], workingDirectory: '/' };
    const { modules } = await parseConfiguration(text, source, registry);
    assert.ok(modules.size > 0);
    for (const [name, { config }] of modules) {
      assert.deepEqual(structuredClone(config), config, name);
      assert.deepEqual(deserialize(serialize(config)), config, name);
    }
  }
});

test('nbrpc starts in a thread whose memory is limited, and why it cannot start comes back with its remedy', async () => {
  const nbrpc = await composeRegistry(new MemoryLog()).get('nbrpc')?.();
  assert.ok(nbrpc);
  const parsed = await nbrpc.parse({ check_lists: ['/a.list'], state: '/proc/nowhere/nbrpc.db' });
  assert.ok(parsed.ok);
  const limits: Worker['resourceLimits'][] = [];
  // They are gone with the thread.
  process.once('worker', (worker) => limits.push(worker.resourceLimits));
  await assert.rejects(nbrpc.start(parsed.config, new AbortController().signal), {
    name: 'NetstewardError',
    code: 'state-folder-unusable',
    remedy: /^Make it, writable/,
  });
  const [limit] = limits;
  assert.deepEqual([limit?.maxOldGenerationSizeMb, limit?.maxYoungGenerationSizeMb], [768, 8]);
});
