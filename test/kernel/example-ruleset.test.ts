/** nftables.example.conf is a ruleset that a real kernel takes, as it stands and without the parts of way 2. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkout } from '../checkout.ts';

const example = readFileSync(join(checkout, 'nftables.example.conf'), 'utf8');

/** Loads a ruleset twice (a reload must work too) in a namespace of its own, and lists it. */
function load(ruleset: string): { status: number | null; stdout: string; stderr: string } {
  const script = 'cat > /run/r.nft; nft -f /run/r.nft && nft -f /run/r.nft && nft list ruleset';
  return spawnSync(
    'unshare',
    ['-Urnm', '--map-root-user', 'bash', '-c', `PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs t /run; ${script}`],
    { input: ruleset, encoding: 'utf8' },
  );
}

test('the kernel takes the example ruleset, again and again', () => {
  const { status, stdout, stderr } = load(example);
  assert.equal(status, 0, stderr);
  for (const part of ['set blocked4', 'set blocked6', 'chain mark_own', 'maxseg size set rt mtu', 'masquerade']) {
    assert.ok(stdout.includes(part), `${part} is not in the loaded ruleset`);
  }
});

test('the example ruleset stands without the parts that only way 2 needs', () => {
  const without = example.replace(/ {2}# -- way 2[\s\S]*?# -- end of way 2\n/, '');
  assert.notEqual(without, example);
  assert.ok(!without.includes('@blocked4'));
  const { status, stdout, stderr } = load(without);
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes('masquerade'));
});
