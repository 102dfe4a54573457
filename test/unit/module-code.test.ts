/** What the thread or process of a module loads at its start: memory is paid for each of them, so what none of them needs stays out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { mainJs } from '../checkout.ts';

const source = dirname(mainJs);

/** Packages that `entry` (a built file) and what it imports statically import. */
function packagesOf(entry: string): ReadonlySet<string> {
  const packages = new Set<string>();
  const files = new Set([join(source, entry)]);
  // A set may grow while it is gone through.
  for (const file of files) {
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?['"]([^'"]+)['"];$/gm)) {
      if (name.startsWith('.')) files.add(resolve(dirname(file), name));
      else packages.add(name);
    }
  }
  return packages;
}

const ofThreads = [
  'nbrpc/index.js',
  'nbrpc/running.js',
  'cgroup-nft/index.js',
  'cgroup-nft/running.js',
  'dyndns/index.js',
  'dyndns/running.js',
  'dnstest/index.js',
  'dnstest/running.js',
  'supervisor/page/index.js',
  'supervisor/page/running.js',
  'cli/module-entry.js',
  'cli/compose.js',
  'cli/compose-cgroup-nft.js',
  'cli/compose-dyndns.js',
  'cli/compose-dnstest-watch.js',
  'cli/compose-page.js',
  'cli/nft-agent-entry.js',
  'system/linux/nft-open.js',
  'system/linux/resolver-word-hearer.js',
  'system/linux/resolver-word-speaker.js',
];

test('only who reads configurations loads the library that checks them', () => {
  for (const entry of ofThreads) assert.ok(!packagesOf(entry).has('valibot'), entry);
  assert.ok(packagesOf('nbrpc/config.js').has('valibot'));
  assert.ok(packagesOf('supervisor/remote-module.js').has('valibot'));
});

test('cgroup-nft and nft-agent do without the library for addresses', () => {
  for (const entry of ['cgroup-nft/running.js', 'cli/nft-agent-entry.js', 'system/linux/nft-open.js']) {
    assert.ok(!packagesOf(entry).has('ip-address'), entry);
  }
  assert.ok(packagesOf('dyndns/running.js').has('ip-address'));
});
