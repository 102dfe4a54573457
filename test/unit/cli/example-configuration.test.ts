/** netsteward.example.toml: what stands in it as a comment is right once the "# " is taken away. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeRegistry } from '../../../src/cli/compose.ts';
import { parseConfiguration } from '../../../src/supervisor/config.ts';
import { checkout } from '../../checkout.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

const example = readFileSync(join(checkout, 'netsteward.example.toml'), 'utf8');

/** The whole example in force, without the table that cannot stand beside [nbrpc.table]. */
function uncommented(): string {
  const lines = example.split('\n').map((line) => line.replace(/^# (?=\[\[?[\w.-]+\]\]?$|\w+ = )/, ''));
  return lines.join('\n').replace(/^\[nbrpc\.sets\]\n(?:\w.*\n)+/m, '');
}

test('every table of the example that is a comment is taken when it is switched on, and each module has one', async () => {
  const source = { file: 'n.toml', overrides: [], workingDirectory: '/' };
  const registry = composeRegistry(new MemoryLog());
  const { modules } = await parseConfiguration(uncommented(), source, registry);
  assert.deepEqual([...modules.keys()].sort(), [...registry.keys()].sort());
  for (const table of ['history', 'supervisor', 'dnstest.serve'])
    assert.match(example, new RegExp(`^# \\[${table}\\]$`, 'm'));
});
