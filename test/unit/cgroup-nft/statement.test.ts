/** Which cgroups a statement names, in every form that nft has for it, and the statement with living ones in their places. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { UnitStatement } from '../../../src/cgroup-nft/rule.ts';
import { expandStatement, readElements, readRuleStatement } from '../../../src/cgroup-nft/statement.ts';

function referencesOf(text: string): readonly string[] {
  const read = readRuleStatement(text);
  assert.ok(read.ok, JSON.stringify(read));
  for (const { start, end, path } of read.cgroups) assert.equal(text.slice(start, end).replaceAll('"', ''), path);
  return read.cgroups.map(({ level, path }) => `${level} ${path}`);
}

function faultOf(text: string): string {
  const read = readRuleStatement(text);
  assert.ok(!read.ok, text);
  return `${read.fault.at} ${read.fault.message}`;
}

function rule(statement: string): UnitStatement {
  const read = readRuleStatement(statement);
  assert.ok(read.ok, JSON.stringify(read));
  const place = { file: 'f', line: 1, column: 1 };
  const { cgroups } = read;
  return { kind: 'rule', unit: 'a.service', family: 'inet', table: 'f', chain: 'c', statement, cgroups, place };
}

describe('the cgroups of a statement', () => {
  const table: Record<string, readonly string[]> = {
    'socket cgroupv2 level 2 "system.slice/a.service" accept': ['2 system.slice/a.service'],
    'socket cgroupv2 level 2 system.slice/a.service accept': ['2 system.slice/a.service'],
    'socket cgroupv2 level 2 == "s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 2!="s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 2 s/foo@x.service accept': ['2 s/foo@x.service'],
    'socket cgroupv2 level 2 != "s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 2 !="s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 2 ne "s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 2 eq "s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 0x2 "s/a" accept': ['2 s/a'],
    'socket cgroupv2 level 010 "s/a" accept': ['8 s/a'],
    'socket cgroupv2 level 255 "s/a" accept': ['255 s/a'],
    'socket cgroupv2 level 2 { "s/a", "s/b" } accept': ['2 s/a', '2 s/b'],
    'socket cgroupv2 level 2 {"s/a","s/b",} accept': ['2 s/a', '2 s/b'],
    'socket cgroupv2 level 2 != { "s/a", s/b } accept': ['2 s/a', '2 s/b'],
    'socket cgroupv2 level 2 vmap { "s/a" : accept, "s/b": drop, * : continue }': ['2 s/a', '2 s/b'],
    'meta mark set socket cgroupv2 level 2 map { "s/a" : 0x1, "s/b" : 0x2 }': ['2 s/a', '2 s/b'],
    'socket cgroupv2 level 2 . tcp dport { "s/a" . 25, "s/b" . 80-90 } accept': ['2 s/a', '2 s/b'],
    'meta l4proto . socket cgroupv2 level 2 . tcp dport { tcp . "s/a" . 25 } accept': ['2 s/a'],
    'ip6 daddr . socket cgroupv2 level 2 { fe80::1 . "s/a" timeout 5s comment "x" } accept': ['2 s/a'],
    'socket cgroupv2 level 2 . tcp dport vmap { "s/a" . 25 : accept }': ['2 s/a'],
    'socket cgroupv2 level 1 "s" socket cgroupv2 level 2 "s/a" accept': ['1 s', '2 s/a'],
    'socket cgroupv2 level 2 @units accept': [],
    'socket cgroupv2 level 2 != @units accept': [],
    'socket cgroupv2 level 2 . tcp dport @units accept': [],
    'socket cgroupv2 level 2 vmap @verdicts': [],
    'add @seen { socket cgroupv2 level 2 timeout 5m } accept': [],
    'update @seen { socket cgroupv2 level 2 . ip daddr limit rate 1/second } accept': [],
    'meter m size 100 { socket cgroupv2 level 2 limit rate 1/second } accept': [],
    'tcp dport 25 accept comment "socket cgroupv2 level 2 x"': [],
    'log prefix "return" accept': [],
    'socket cgroupv2 level 3 "u/*/app-[a-z]?.scope" accept': ['3 u/*/app-[a-z]?.scope'],
    'socket cgroupv2 level 2 "s/x\\x2dy.service" accept': ['2 s/x\\x2dy.service'],
  };
  for (const [text, references] of Object.entries(table)) {
    it(`${text} names ${references.join(' and ') || 'none'}`, () => assert.deepEqual(referencesOf(text), references));
  }

  it('are told without slashes at the ends and doubled ones, which the file system does not mind', () => {
    const read = readRuleStatement('socket cgroupv2 level 2 "/system.slice//a.service/" accept');
    assert.ok(read.ok);
    assert.equal(read.cgroups[0]?.path, 'system.slice/a.service');
  });

  it('are those between the braces of an element', () => {
    const read = readElements('"s/a", s/b ,"s/c*" . 25 : return,');
    assert.ok(read.ok);
    assert.deepEqual(
      read.cgroups.map(({ level, path }) => [level, path]),
      [
        [undefined, 's/a'],
        [undefined, 's/b'],
        [undefined, 's/c*'],
      ],
    );
  });
});

describe('a statement is refused', () => {
  const table: Record<string, RegExp> = {
    '': /^0 the statement is missing/,
    'handle 4 accept': /^0 "handle" is not possible/,
    'position 4 accept': /^0 "position" is not possible/,
    'index 0 accept': /^0 "index" is not possible/,
    'tcp dport 25 return': /^13 "return" would only leave the chain.*write "accept"/,
    'tcp dport 25 goto x': /^13 "goto" would.*write "jump"/,
    'tcp dport vmap { 25 : return }': /^22 "return"/,
    'tcp dport vmap { 25:goto x }': /^20 "goto"/,
    'socket cgroupv2 "s/a" accept': /^16 "level N" is missing: write: socket cgroupv2 level N "PATH"/,
    'socket cgroupv2': /^0 "level N" is missing/,
    'socket cgroupv2 level "s/a"': /"level N" is missing/,
    'socket cgroupv2 level 256 "s/a" accept': /^22 "256" is no level/,
    'socket cgroupv2 level -1 "s/a" accept': /^22 "-1" is no level/,
    'socket cgroupv2 level x "s/a" accept': /^22 "x" is no level/,
    'socket cgroupv2 level 2 accept': /^24 the path of the cgroup is missing/,
    'socket cgroupv2 level 2': /^23 the path of the cgroup is missing/,
    'socket cgroupv2 level 2 "" accept': /^24 the cgroup's path is empty/,
    'socket cgroupv2 level 2 "/" accept': /^24 the cgroup's path is empty/,
    'socket cgroupv2 level 2 "../x" accept': /^24 ".." is the name of no cgroup/,
    'socket cgroupv2 level 2 "a/[x" accept': /^24 a "\[" is not closed/,
    'socket cgroupv2 level 2 < "a" accept': /^24 a cgroup cannot be compared by "<"/,
    'socket cgroupv2 level 2 ! "a" accept': /^24 a cgroup cannot be compared by "!"/,
    'socket cgroupv2 level 2 { } accept': /^24 nothing stands between the braces/,
    'socket cgroupv2 level 2 { "a",, "b" } accept': /^30 before this comma something is missing/,
    'socket cgroupv2 level 2 . tcp dport { "a" } accept': /^38 this has no path of a cgroup/,
    'socket cgroupv2 level 2 . tcp dport "a" . 25 accept': /^36 a concatenation is compared with a set/,
    'socket cgroupv2 level 2 { { "a" } } accept': /^26 this has no path of a cgroup/,
  };
  for (const [text, message] of Object.entries(table)) {
    it(`when it is ${JSON.stringify(text)}`, () => assert.match(faultOf(text), message));
  }
});

describe('a statement with living cgroups', () => {
  const table: readonly (readonly [string, readonly (readonly string[])[], readonly string[]])[] = [
    ['socket cgroupv2 level 2 s/a accept', [['s/a']], ['socket cgroupv2 level 2 "s/a" accept']],
    ['socket cgroupv2 level 2 "s/a" accept', [[]], []],
    ['tcp dport 25 accept', [], ['tcp dport 25 accept']],
    [
      'socket cgroupv2 level 2 "s/*" limit rate 1/second accept',
      [['s/a', 's/b']],
      [
        'socket cgroupv2 level 2 "s/a" limit rate 1/second accept',
        'socket cgroupv2 level 2 "s/b" limit rate 1/second accept',
      ],
    ],
    [
      'socket cgroupv2 level 2 != "s/*" accept',
      [['s/a', 's/b']],
      ['socket cgroupv2 level 2 != { "s/a", "s/b" } accept'],
    ],
    ['socket cgroupv2 level 2 != "s/*" accept', [['s/a']], ['socket cgroupv2 level 2 != "s/a" accept']],
    ['socket cgroupv2 level 2 != "s/*" accept', [[]], []],
    [
      'socket cgroupv2 level 2 { "s/a", "s/b*", "s/c" } accept',
      [[], ['s/b1', 's/b2'], ['s/c']],
      ['socket cgroupv2 level 2 { "s/b1", "s/b2", "s/c" } accept'],
    ],
    [
      'socket cgroupv2 level 2 != { "s/a", "s/b" } accept',
      [[], ['s/b']],
      ['socket cgroupv2 level 2 != { "s/b" } accept'],
    ],
    ['socket cgroupv2 level 2 { "s/a", "s/b" } accept', [[], []], []],
    [
      'socket cgroupv2 level 2 vmap { "s/a*" : drop, "s/ab" : accept, * : continue }',
      [['s/ab', 's/ac'], ['s/ab']],
      ['socket cgroupv2 level 2 vmap { "s/ab" : drop, "s/ac" : drop, * : continue }'],
    ],
    ['socket cgroupv2 level 2 vmap { "s/a" : drop, * : accept }', [[]], []],
    [
      'meta l4proto . socket cgroupv2 level 2 . tcp dport { tcp . "s/*" . 25, udp . "s/b" . 53 } accept',
      [['s/a', 's/b'], []],
      ['meta l4proto . socket cgroupv2 level 2 . tcp dport { tcp . "s/a" . 25, tcp . "s/b" . 25 } accept'],
    ],
    [
      'socket cgroupv2 level 1 "?" socket cgroupv2 level 2 "?/*" accept',
      [
        ['r', 's'],
        ['r/a', 's/a'],
      ],
      [
        'socket cgroupv2 level 1 "r" socket cgroupv2 level 2 { "r/a", "s/a" } accept',
        'socket cgroupv2 level 1 "s" socket cgroupv2 level 2 { "r/a", "s/a" } accept',
      ],
    ],
    ['socket cgroupv2 level 1 "s" socket cgroupv2 level 2 "s/a" accept', [['s'], []], []],
  ];
  for (const [text, living, expected] of table) {
    it(`${text} becomes ${expected.length === 1 ? expected[0] : expected.length}`, () => {
      assert.deepEqual(expandStatement(rule(text), living), expected);
    });
  }

  it('names each key once in elements, and keeps what else they have', () => {
    const element = (statement: string): UnitStatement => ({ ...rule('accept'), kind: 'element', set: 's', statement });
    assert.deepEqual(expandStatement(element('"s/*", "s/a"'), [['s/a', 's/b'], ['s/a']]), ['"s/a"', '"s/b"']);
    assert.deepEqual(
      expandStatement(element('"s/*" . 25 timeout 5s, "s/a" . 26, "s/b" . fe80::1 : goto x'), [
        ['s/a', 's/b'],
        ['s/a'],
        [],
      ]),
      ['"s/a" . 25 timeout 5s', '"s/b" . 25 timeout 5s', '"s/a" . 26'],
    );
  });

  it('passes over directories whose names would say something else to nft', () => {
    const hostile = ['s/x" accept; flush ruleset; "', 's/x\naccept', 's/\u00e9', 's/\u0000', ''];
    assert.deepEqual(expandStatement(rule('socket cgroupv2 level 2 "s/*" accept'), [hostile]), []);
    assert.deepEqual(expandStatement(rule('socket cgroupv2 level 2 { "s/*" } accept'), [[...hostile, 's/a']]), [
      'socket cgroupv2 level 2 { "s/a" } accept',
    ]);
  });

  it('is still one statement that names just what lives, whatever names there are', () => {
    const paths = fc.array(
      fc.string({ unit: 'binary', maxLength: 6 }).map((name) => `s/${name}`),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(paths, paths, (first, second) => {
        const texts = expandStatement(
          rule('socket cgroupv2 level 2 "s/*" tcp dport 25 socket cgroupv2 level 2 != { "s/*" } accept'),
          [first, second],
        );
        for (const text of texts) {
          const read = readRuleStatement(text);
          // Names that no cgroup can have come from no tree.
          if (!read.ok && !/[[\]]|\/\.{1,2}"|\/"|\/\//.test(text)) assert.fail(`${text}: ${read.fault.message}`);
          for (const { path } of read.ok ? read.cgroups : []) {
            assert.ok([...first, ...second].some((living) => living.split('/').filter(Boolean).join('/') === path));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
