/** `netsteward cgroup-nft check` without a kernel: what is read, what is said, and what is done where nft cannot be asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRules, type RuleCheckPorts } from '../../../src/cli/cgroup-nft-check.ts';
import { NetstewardError } from '../../../src/core/errors.ts';
import type { UnitFacts } from '../../../src/system/unit-properties.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';

const rule = (unit: string, words: string): string => `# ${unit} :: inet f c ${words}\n`;
const good = rule('a.service', 'socket cgroupv2 level 2 "system.slice/a.service" accept');

function ports(content: Readonly<Record<string, string>>, changes: Partial<RuleCheckPorts> = {}): RuleCheckPorts {
  const files = new FakeFiles();
  for (const [path, text] of Object.entries(content)) files.put(path, text);
  return {
    files,
    tree: new FakeCgroupTree(),
    units: { of: () => Promise.resolve(undefined) },
    openNft: () => Promise.reject(new NetstewardError('nft-not-permitted', 'it lacks CAP_NET_ADMIN')),
    ...changes,
  };
}

const lines = (check: Awaited<ReturnType<typeof checkRules>>): readonly string[] =>
  check.remarks.map(
    ({ file, line, column, severity, message }) => `${file}:${line}:${column}: ${severity}: ${message}`,
  );

test('a good file gets no remark; that nft was not asked is told apart from them', async () => {
  const found = await checkRules(['f'], ports({ f: good }));
  assert.deepEqual([lines(found), found.statements.length, found.withoutNft], [[], 1, 'it lacks CAP_NET_ADMIN']);
});

test('without cgroup2 nft is not asked, and without rules there is nothing to ask', async () => {
  const asked = { openNft: () => assert.fail('nft was opened') };
  const bare = await checkRules(['f'], ports({ f: good }, { ...asked, tree: undefined }));
  assert.equal(bare.withoutNft, 'no cgroup2 file system is mounted here');
  assert.equal((await checkRules(['f'], ports({ f: 'table inet f { }\n' }, asked))).withoutNft, undefined);
});

test('a failure that nobody foresaw is no remark', async () => {
  const openNft = (): Promise<never> => Promise.reject(new TypeError('a mistake of ours'));
  await assert.rejects(checkRules(['f'], ports({ f: good }, { openNft })), TypeError);
});

test('every mistake in every file is told, and files that cannot be read', async () => {
  const content = {
    one: `${rule('a.service', 'accept; flush ruleset')}${rule('b.service', 'x "')}`,
    two: '# a.service :: x\n',
  };
  const found = lines(await checkRules(['one', 'none', 'two'], ports(content)));
  assert.equal(found.length, 4);
  assert.match(found[0] ?? '', /^one:1:31: error: rule of "a.service": a ";" outside of quotes/);
  assert.match(found[1] ?? '', /^one:2:27: error: rule of "b.service": the quote is not closed/);
  assert.match(found[2] ?? '', /^none:undefined:undefined: error: cannot be read: ENOENT, there is no such file/);
  assert.match(found[3] ?? '', /^two:1:16: error: rule of "a.service": FAMILY TABLE CHAIN/);
});

test('a file named twice is read once, and doubtful rules and comments are warnings', async () => {
  const text = `${rule('a.service', 'socket cgroupv2 level 1 "system.slice/a.service" accept')} # b.service :: inet f c accept\n`;
  const given = ports({ f: text });
  const found = await checkRules(['f', 'f'], given);
  assert.deepEqual((given.files as FakeFiles).reads, ['f']);
  assert.deepEqual(
    lines(found).map((line) => line.slice(0, 60)),
    [
      'f:2:1: warning: a rule of "b.service" that is ignored, becau',
      'f:1:49: warning: rule of a.service: level 1 never matches "s',
    ],
  );
});

const facts = (sockets: readonly string[]): UnitFacts => {
  return { load: 'loaded', active: 'active', cgroup: undefined, slice: undefined, sockets };
};

test('a service that a socket starts gets a note at its path, unless a rule names the socket too', async () => {
  const units = { of: () => Promise.resolve(new Map([['a.service', facts(['a.socket', 'b.socket'])]])) };
  const text = `${good}${rule('b.socket', 'socket cgroupv2 level 2 "system.slice/b.socket" accept')}`;
  assert.deepEqual(lines(await checkRules(['f'], ports({ f: text }, { units }))), [
    "f:1:49: note: rule of a.service: what comes in through a.socket belongs to that unit's cgroup, not to a.service's: name it in a rule of its own if that traffic is meant too",
  ]);
});

test('systemd is asked for services that are named without globs, by their names, not by those of their directories', async () => {
  const asked: (readonly string[])[] = [];
  const units = {
    of: (names: readonly string[]) => {
      asked.push(names);
      return Promise.resolve(undefined);
    },
  };
  const paths = ['system.slice/_memory.service', 'system.slice/b*.service', 'system.slice/c.scope', 'user.slice'];
  const text = paths.map((path) => rule('a.service', `socket cgroupv2 level 2 "${path}" accept`)).join('');
  await checkRules(['f'], ports({ f: text }, { units }));
  assert.deepEqual(asked, [['memory.service']]);
});
