/** docs/firewall-by-unit.md as a reader would paste it: nft loads its rulesets, check finds nothing in its rules, its configuration is taken. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseCgroupNft } from '../../src/cgroup-nft/config.ts';
import { unitPatternLints } from '../../src/cgroup-nft/lint.ts';
import { checkRules } from '../../src/cli/cgroup-nft-check.ts';
import type { ConfigTable } from '../../src/core/module.ts';
import { parseToml } from '../../src/core/toml.ts';
import { openCgroupTree } from '../../src/system/linux/cgroupfs.ts';
import { LinuxFiles } from '../../src/system/linux/files.ts';
import { openNft } from '../../src/system/linux/nft-open.ts';
import { checkout } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

if (!insideNamespace) {
  test('the page about firewalls by unit in a network namespace of its own', (t) =>
    repeatInNamespace(t, import.meta.url));
} else {
  inside();
}

function inside(): void {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-page-'));
  after(() => rmSync(folder, { recursive: true }));
  const unified = '/sys/fs/cgroup/unified';
  if (existsSync(unified)) assert.equal(spawnSync('mount', ['--bind', unified, '/sys/fs/cgroup']).status, 0);

  const page = readFileSync(join(checkout, 'docs', 'firewall-by-unit.md'), 'utf8');
  const blocks = (language: string): readonly string[] =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);

  test('its rulesets are loaded, and check finds nothing in their rules', async () => {
    const rulesets = blocks('nft');
    assert.equal(rulesets.length, 2);
    let rules = 0;
    for (const [index, text] of rulesets.entries()) {
      const file = join(folder, `${index}.conf`);
      writeFileSync(file, text);
      const { status, stderr } = spawnSync('nft', ['-f', file], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      const found = await checkRules([file], {
        files: new LinuxFiles(),
        tree: await openCgroupTree(),
        units: { of: () => Promise.resolve(undefined) },
        openNft,
      });
      assert.deepEqual([found.remarks, found.withoutNft], [[], undefined]);
      rules += found.statements.length;
    }
    assert.equal(rules, 3);
  });

  test('its configuration is taken, and nothing in it is doubtful', () => {
    const [text = '', ...more] = blocks('toml');
    assert.deepEqual(more, []);
    const { value } = parseToml(text, 'page');
    const parsed = parseCgroupNft((value as Record<string, ConfigTable>)['cgroup-nft'] ?? {});
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const units = parsed.config.group.flatMap((group) => group.units);
    assert.deepEqual(units.flatMap(unitPatternLints), []);
  });

  test('each mark that its ruleset matches is one that its configuration sets', () => {
    const set = [...(blocks('toml')[0] ?? '').matchAll(/^mark = (0x\d+)$/gm)].map(([, mark]) => mark);
    const matched = [...(blocks('nft')[0] ?? '').matchAll(/meta mark & (0x\d+) == (0x\d+) /g)].flatMap(
      ([, mask, mark]) => {
        assert.equal(mask, mark);
        return [mark];
      },
    );
    assert.deepEqual(matched, set);
  });
}
