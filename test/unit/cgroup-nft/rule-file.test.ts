/** Rules in the comments of a configuration file: the contract's grammar, and what a file may not do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UnitStatement } from '../../../src/cgroup-nft/rule.ts';
import { parseRuleFile, statementPlace } from '../../../src/cgroup-nft/rule-file.ts';

function statementsOf(text: string): readonly UnitStatement[] {
  const parsed = parseRuleFile(text, 'nftables.conf');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.statements;
}

function problemsOf(text: string): readonly string[] {
  const parsed = parseRuleFile(text, 'f');
  assert.ok(!parsed.ok, JSON.stringify(parsed));
  return parsed.problems.map(({ line, column, message }) => `${line ?? ''}:${column ?? ''} ${message}`);
}

function remarksOf(text: string): readonly string[] {
  const parsed = parseRuleFile(text, 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.deepEqual(parsed.statements, []);
  return parsed.remarks.map(({ line, message }) => `${line} ${message}`);
}

const rule = 'socket cgroupv2 level 2 "system.slice/a.service" accept';

describe('a rule in a comment', () => {
  it('is read as the contract writes it, over two lines', () => {
    const text = `#!/usr/sbin/nft -f
# postfix.service :: add rule inet filter vpn.whitelist \\
#   socket cgroupv2 level 2 "system.slice/postfix.service" tcp dport 25 accept
`;
    assert.deepEqual(statementsOf(text), [
      {
        kind: 'rule',
        unit: 'postfix.service',
        family: 'inet',
        table: 'filter',
        chain: 'vpn.whitelist',
        statement: 'socket cgroupv2 level 2 "system.slice/postfix.service" tcp dport 25 accept',
        cgroups: [{ level: 2, path: 'system.slice/postfix.service', start: 24, end: 54 }],
        place: { file: 'nftables.conf', line: 2, column: 3 },
        pieces: [{ at: 0, line: 3, column: 5 }],
      },
    ]);
  });

  const starts = ['# ', '#', '###   ', '##'];
  const prefixes = ['add rule inet f c', 'add inet f c', 'inet f c', 'inet\tf\tc', 'add  rule   inet f  c'];
  for (const start of starts) {
    for (const prefix of prefixes) {
      it(`may begin with ${JSON.stringify(start)} and ${JSON.stringify(prefix)}`, () => {
        const [found] = statementsOf(`${start}a.service  ::  ${prefix} ${rule}`);
        assert.ok(found?.kind === 'rule');
        assert.deepEqual([found.unit, found.family, found.table, found.chain], ['a.service', 'inet', 'f', 'c']);
        assert.equal(found.statement, rule);
      });
    }
  }

  it('may have any number of continuations, the backslash and the white space around it giving way to one space', () => {
    const text = `# a.service :: \\\n# add rule \t\\\n#  \t inet f\\\n# c socket \\\n# cgroupv2 level 2 "system.slice/a.service" accept   `;
    assert.deepEqual(
      statementsOf(text).map(({ statement }) => statement),
      [rule],
    );
  });

  it('may have several of one unit, and a unit that is not in its path: all in file order', () => {
    const text = `# a.service :: add rule inet f c ${rule}\n\n# b.scope :: ip f c ${rule}\n# a.service :: ip6 f c ${rule}\n`;
    assert.deepEqual(
      statementsOf(text).map(({ unit, family, place }) => `${unit} ${family} ${place.line}`),
      ['a.service inet 1', 'b.scope ip 3', 'a.service ip6 4'],
    );
  });

  it('is the same with CRLF line ends, without a last line end, and behind a byte order mark', () => {
    const text = `\ufefftable inet f {\r\n}\r\n# a.service :: add rule inet f c \\\r\n#   ${rule}\r\n# b.service :: add rule inet f c ${rule}`;
    const [a, b] = statementsOf(text);
    assert.deepEqual([a?.statement, a?.place.line, b?.statement, b?.place.line], [rule, 3, rule, 5]);
  });

  it('has spaces where it had tabs', () => {
    const [found] = statementsOf(`# a.service :: add rule inet f c\t${rule.replaceAll(' ', '\t')}\t`);
    assert.equal(found?.statement, rule);
  });

  it('may name a set, for which its paths become elements', () => {
    const [found] = statementsOf('# a.service :: add element inet f units{ "system.slice/a.service", "b.slice/c*" }');
    assert.ok(found?.kind === 'element');
    assert.equal(found.set, 'units');
    assert.equal(found.statement, '"system.slice/a.service", "b.slice/c*"');
    assert.deepEqual(
      found.cgroups.map(({ level, path }) => [level, path]),
      [
        [undefined, 'system.slice/a.service'],
        [undefined, 'b.slice/c*'],
      ],
    );
    const { line, column } = statementPlace(found, found.cgroups[1]?.start ?? 0);
    assert.deepEqual([line, column], [1, 68]);
  });

  it('knows the place of each of its characters', () => {
    const text = `x\n#  a.service :: add rule inet f c socket cgroupv2 \\\n#     level 2 \\\n# "system.slice/a.service" accept`;
    const [found] = statementsOf(text);
    assert.ok(found !== undefined);
    assert.deepEqual(found.place, { file: 'nftables.conf', line: 2, column: 4 });
    const placeOf = (word: string): string => {
      const { line, column } = statementPlace(found, found.statement.indexOf(word));
      return `${line}:${column}`;
    };
    assert.deepEqual(['socket', 'cgroupv2', 'level', '2 "', '"system', 'accept'].map(placeOf), [
      '2:35',
      '2:42',
      '3:7',
      '3:13',
      '4:3',
      '4:28',
    ]);
  });
});

describe('what is no rule', () => {
  const prose = [
    '',
    '#',
    'add rule inet f c accept',
    '# std::vector is C++',
    '# see a.service :: it has a unit',
    '# a.service: add rule inet f c accept',
    '# a.service ::',
    '# a_service :: add rule inet f c accept',
    '# a.service2 :: add rule inet f c accept',
    '# a. :: add rule inet f c accept',
    '# # a.service :: add rule inet f c accept',
    'x # a.service :: add rule inet f c accept',
    '# this one goes on \\',
    '# and is no continuation :: of it',
    '# Gr\u00f6\u00dfe \ufffd\u0000\u001b[31m ::',
    '#'.repeat(5000),
    `# ${'a.b '.repeat(300)}:: x`,
  ];
  it('is ignored, prose with "::" in it too', () => assert.deepEqual(statementsOf(prose.join('\n')), []));

  it('ends no rule and begins none: a comment before a rule may end in a backslash', () => {
    assert.equal(statementsOf(`# prose \\\n# a.service :: inet f c ${rule}`).length, 1);
  });

  it('is remarked on where it was surely meant as one', () => {
    const lines = [
      ` # a.service :: add rule inet f c ${rule}`,
      `#\ta.service :: add rule inet f c ${rule}`,
      `# a.service :: add rule inet f c`.replace(':: ', '::\t'),
      `# a.service ::add rule inet f c ${rule}`,
      `# a.service:: inet f c ${rule}`,
      '# prose.about :: something else'.replace('::', ':;'),
    ];
    assert.deepEqual(remarksOf(lines.join('\n')), [
      '1 a rule of "a.service" that is ignored, because it does not begin at the start of the line',
      '2 a rule of "a.service" that is ignored, because it has white space other than spaces before the rule',
      '3 a rule of "a.service" that is ignored, because it has white space other than spaces before the rule',
      '4 a rule of "a.service" that is ignored, because a space is missing beside the "::"',
      '5 a rule of "a.service" that is ignored, because a space is missing beside the "::"',
    ]);
  });
});

describe('a malformed rule', () => {
  const bad: Record<string, string> = {
    '# a.service :: ':
      '1:3 rule of "a.service": FAMILY TABLE CHAIN must come before the rule, as in "add rule inet filter output …", not ""',
    '# a.service :: accept':
      '1:16 rule of "a.service": FAMILY TABLE CHAIN must come before the rule, as in "add rule inet filter output …", not "accept"',
    '# a.service :: add rule inet f':
      '1:25 rule of "a.service": FAMILY TABLE CHAIN must come before the rule, as in "add rule inet filter output …", not "add rule inet f"',
    '# a.service :: add rule filter output accept':
      '1:25 rule of "a.service": "filter" is no family: FAMILY TABLE CHAIN begins with ip, ip6, inet, arp, bridge, netdev',
    '# a.service :: insert rule inet f c accept':
      '1:16 rule of "a.service": "insert" is not possible here: only "add rule" and "add element" are',
    '# a.service :: add chain inet f c':
      '1:20 rule of "a.service": "chain" is not possible here: only "add rule" and "add element" are',
    '# a.service :: inet f; c accept':
      '1:21 rule of "a.service": the table "f;" must start with a letter, "_" or "." and go on with letters, digits, "-", "_", "." or "/"',
    '# a.service :: inet f c#d accept':
      '1:23 rule of "a.service": the chain "c#d" must start with a letter, "_" or "." and go on with letters, digits, "-", "_", "." or "/"',
    '# a.service :: inet f c': '1:24 rule of "a.service": the statement is missing after FAMILY TABLE CHAIN',
    '# a.service :: inet f c accept \\':
      '1:32 rule of "a.service": "inet f c accept" goes on after "\\", but the file ends there; begin the next line with "# ", or take out the "\\"',
    '# a.service :: inet f c accept \\\n#\n':
      '1:32 rule of "a.service": "inet f c accept" goes on after "\\", but the next line is "#"; begin the next line with "# ", or take out the "\\"',
    '# a.service :: inet f c accept \\\n  accept':
      '1:32 rule of "a.service": "inet f c accept" goes on after "\\", but the next line is "  accept"; begin the next line with "# ", or take out the "\\"',
    [`# a.service :: inet f c accept \\\n# b.service :: inet f c ${rule}`]: `1:32 rule of "a.service": "inet f c accept" goes on after "\\", but the next line begins another rule: "# b.service :: inet f c ${rule}"; begin the next line with "# ", or take out the "\\"`,
    '# a.service :: inet f c accept \\ ':
      '1:32 rule of "a.service": a "\\" outside of quotes: put the name that has it in quotes; to go on in the next line, let nothing follow it',
    '# a.service :: inet f c tcp dport $MAIL_PORTS accept':
      '1:35 rule of "a.service": $MAIL_PORTS is a variable: nft knows it while it reads the file that defines it, but netsteward loads this rule by itself, each time its unit starts, so write the value in its place, or put the values into a named set and write @SET',
    '# a.service :: inet f c ip daddr { 10.0.0.1, ${lan} } accept':
      '1:46 rule of "a.service": $lan is a variable: nft knows it while it reads the file that defines it, but netsteward loads this rule by itself, each time its unit starts, so write the value in its place, or put the values into a named set and write @SET',
    '# a.service :: inet f c tcp dport $1 accept':
      '1:35 rule of "a.service": a "$" outside of quotes: nft would read a variable there, and netsteward knows none, so write the value itself',
    '# a";flush-ruleset;".service :: inet f c accept':
      '1:3 rule of "a";flush-ruleset;".service": a unit\'s name cannot have """ in it',
    '# a;b.service :: inet f c accept': '1:3 rule of "a;b.service": a unit\'s name cannot have ";" in it',
    '# {.service :: inet f c accept': '1:3 rule of "{.service": a unit\'s name cannot have "{" in it',
    '# a\u00e9.service :: inet f c accept': '1:3 rule of "a\u00e9.service": a unit\'s name cannot have "\u00e9" in it',
    '# a\u001b.service :: inet f c accept': '1:3 rule of "a\\x1b.service": a unit\'s name cannot have "\\x1b" in it',
    '# a.service :: add element inet f s "a.slice"':
      '1:37 rule of "a.service": the elements stand in braces: { "PATH" }',
    '# a.service :: add element inet f s { "a.slice" } accept':
      '1:51 rule of "a.service": something follows the closing brace of the elements',
    '# a.service :: add element inet f s { }': '1:39 rule of "a.service": nothing stands between the braces',
    '# a.service :: add element inet f s { "a.slice", tcp . "b.slice" }':
      '1:50 rule of "a.service": the path of the cgroup must come first, and be in quotes if anything is',
    '# a.service :: add element inet f s { "a.slice", * : drop }':
      '1:50 rule of "a.service": "*" names no cgroup: it can stand in the ruleset itself',
    '# a.service :: add element inet f s { 25-30 "a" }':
      '1:39 rule of "a.service": this has no path of a cgroup where the members of its set have one',
    '# a.service :: add element inet f { "a.slice" }':
      '1:28 rule of "a.service": FAMILY TABLE SET must come before the rule, as in "add element inet filter units …", not "add element inet f { "a.slice" }"',
  };
  for (const [text, problem] of Object.entries(bad)) {
    it(`${JSON.stringify(text)} is refused`, () => assert.deepEqual(problemsOf(text), [problem]));
  }

  it('is told of at its own place in a continued rule', () => {
    assert.deepEqual(problemsOf('# a.service :: inet f c \\\n#   tcp dport 25 \\\n#   accept; flush ruleset'), [
      '3:11 rule of "a.service": a ";" outside of quotes would begin a second command: write one rule per comment',
    ]);
  });

  it('hides none of the others: all are told at once, and the good ones are not taken', () => {
    const text = `# a.service :: x\n# b.service :: inet f c ${rule}\n# c.service :: inet f c \\\n# d.service :: inet f c \\`;
    assert.deepEqual(
      problemsOf(text).map((problem) => problem.slice(0, 30)),
      ['1:16 rule of "a.service": FAMI', '3:25 rule of "c.service": "ine', '4:25 rule of "d.service": "ine'],
    );
  });

  it('is only counted after many', () => {
    const problems = problemsOf('# a.service :: x\n'.repeat(60));
    assert.equal(problems.length, 51);
    assert.equal(problems.at(-1), ': and 10 more');
  });

  it('cannot smuggle a second command in any way', () => {
    const ways = [
      'accept; flush ruleset',
      'accept }; flush ruleset; {',
      'accept } flush ruleset {',
      'accept "; flush ruleset',
      'accept comment "x" ; flush ruleset',
      'accept comment "x\\"; flush ruleset #"',
      'accept # flush ruleset',
      'accept \\n flush ruleset',
      'accept \r flush ruleset',
      'accept \u2028 flush ruleset',
      'accept \u0085 flush ruleset',
      'accept \u0000 flush ruleset',
      'accept comment "\u0000"',
      'accept comment "\t"',
      'accept comment "\r"',
      'accept comment "\u202e"',
      'accept comment "f\u00fcr"',
      'accept comment "\ufffd"',
      'accept comment "\ud800"',
      'accept $( flush ruleset )',
      'accept `flush ruleset`',
      "accept 'flush ruleset'",
      'jump { accept; }',
      'ip saddr { 10.0.0.1, ( }',
      'socket cgroupv2 level 2 "a;b" accept; drop',
      'socket cgroupv2 level 2 { "a", "b" ) accept',
    ];
    for (const way of ways) {
      const parsed = parseRuleFile(`# a.service :: inet f c ${way}`, 'f');
      assert.equal(parsed.ok, false, way);
      assert.equal(parseRuleFile(`# a.service :: add element inet f s { "a", ${way} }`, 'f').ok, false, way);
    }
  });
});
