/** Elements in sets of the administrator's: their texts with our comment, and what is tidied away of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ElementsSink, isOwnComment, livingElements } from '../../../src/cgroup-nft/elements-sink.ts';
import type { UnitElement } from '../../../src/cgroup-nft/rule.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';
import { nftScript } from '../../../src/system/nft-script.ts';
import { FakeKernelRuleset } from '../../fakes/fake-kernel-ruleset.ts';
import { FakeRuleset } from '../../fakes/fake-nft.ts';

const members = new Map([
  ['s/a', 1n],
  ['s/b', 2n],
]);

function elementsOf(...bodies: readonly string[]): readonly UnitElement[] {
  const text = bodies.map((body) => `# x.service :: add element inet f s { ${body} }\n`).join('');
  const parsed = parseRuleFile(text, 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements.flatMap((statement) => (statement.kind === 'element' ? [statement] : []));
}

const textsOf = (...bodies: readonly string[]): readonly string[] =>
  livingElements(elementsOf(...bodies), members).map(({ text }) => text.replace(/netsteward [0-9a-f]{12}/, 'OURS'));

test('our comment stands behind the options and before the data, and behind one of the administrator’s', () => {
  assert.deepEqual(textsOf('"s/a"'), ['"s/a" comment "OURS"']);
  assert.deepEqual(textsOf('s/a'), ['"s/a" comment "OURS"']);
  assert.deepEqual(textsOf('"s/a" . 25'), ['"s/a" . 25 comment "OURS"']);
  assert.deepEqual(textsOf('"s/a" timeout 1h counter'), ['"s/a" timeout 1h counter comment "OURS"']);
  assert.deepEqual(textsOf('"s/a" : accept'), ['"s/a" comment "OURS" : accept']);
  assert.deepEqual(textsOf('"s/a" . 25 counter:jump x'), ['"s/a" . 25 counter comment "OURS" :jump x']);
  assert.deepEqual(textsOf('"s/a" . 25:accept'), ['"s/a" . 25 comment "OURS" :accept']);
  assert.deepEqual(textsOf('"s/a" . fe80::1:accept'), ['"s/a" . fe80::1 comment "OURS" :accept']);
  assert.deepEqual(textsOf('"s/a" comment "a : b"'), ['"s/a" comment "a : b OURS"']);
  assert.deepEqual(textsOf('"s/a" comment his : accept'), ['"s/a" comment "his OURS" : accept']);
  const [long = ''] = textsOf(`"s/a" comment "${'x'.repeat(128)}"`);
  // Longer ones are refused (NFTNL_UDATA_COMMENT_MAXLEN).
  assert.equal(long.replace('OURS', 'netsteward 0123456789ab').split('"').at(-2)?.length, 128);
  assert.deepEqual(textsOf('"s/*" . 25 : drop'), [
    '"s/a" . 25 comment "OURS" : drop',
    '"s/b" . 25 comment "OURS" : drop',
  ]);
});

test('each living element has the id of its cgroup and a comment of its own; the same one twice is one', () => {
  const living = livingElements(
    elementsOf('"s/a" . 1', '"s/a" . 2', '"s/a" . 1', '"s/b" . 1', '"s/gone" . 1'),
    members,
  );
  assert.deepEqual(
    living.map(({ path, id }) => [path, id]),
    [
      ['s/a', 1n],
      ['s/a', 1n],
      ['s/b', 2n],
    ],
  );
  assert.equal(new Set(living.map(({ comment }) => comment)).size, 3);
  assert.ok(living.every(({ comment }) => isOwnComment(comment)));
  assert.ok(!isOwnComment('netsteward') && !isOwnComment('netsteward 0123456789abc') && !isOwnComment(undefined));
});

test('tidying takes out what is ours and not wanted, and leaves the administrator’s own, dead or alive', async () => {
  const ruleset = new FakeRuleset();
  const ids = new Map([...members, ['s/his', 3n]]);
  ruleset.cgroup = (path) => ids.get(path);
  const table = { family: 'inet', name: 'f' } as const;
  const nft = ruleset.open();
  await nft.apply(nftScript({ op: 'add-table', table }, { op: 'add-set', table, set: 's', type: 'cgroupsv2' }));
  const sink = new ElementsSink(nft, new FakeKernelRuleset(ruleset), table, 's');
  assert.equal(sink.exists(), true);
  await nft.apply(nftScript({ op: 'add-members', table, set: 's', members: ['"s/his"', '"s/a" . 7'] }));
  const before = livingElements(elementsOf('"s/a"', '"s/b"'), members);
  await sink.add(sink.tidy(before) ?? []);
  assert.deepEqual(ruleset.elements(table, 's'), ['1', '1 . 7', '2', '3']);
  assert.deepEqual(sink.tidy(before), []);
  // b is made anew, and a is wanted with a port now.
  ids.set('s/b', 20n);
  const after = livingElements(elementsOf('"s/a" . 7', '"s/b"'), new Map([...members, ['s/b', 20n]]));
  const lacking = sink.tidy(after) ?? [];
  assert.deepEqual(ruleset.elements(table, 's'), ['1 . 7', '3']);
  // The first is there, but as one of the administrator's.
  assert.deepEqual(
    lacking.map(({ path }) => path),
    ['s/a', 's/b'],
  );
  await sink.add(lacking);
  assert.deepEqual(ruleset.elements(table, 's'), ['1 . 7', '20', '3']);
  // One with a comment of the administrator's in the file is ours all the same.
  const commented = livingElements(elementsOf('"s/b" comment "mail"'), new Map([['s/b', 20n]]));
  await sink.add(sink.tidy(commented) ?? []);
  assert.deepEqual(ruleset.elements(table, 's'), ['1 . 7', '20', '3']);
  assert.deepEqual(sink.tidy(commented), []);
  sink.tidy([]);
  assert.deepEqual(ruleset.elements(table, 's'), ['1 . 7', '3']);
  await nft.apply(nftScript({ op: 'delete-table', table }));
  assert.equal(sink.tidy(after), undefined);
  assert.equal(sink.exists(), false);
});
