/** Rules in comments, whatever the file: round trips, hostile texts, sizes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { UnitStatement } from '../../../src/cgroup-nft/rule.ts';
import { largestRuleFile, mostStatements, parseRuleFile, printRuleFile } from '../../../src/cgroup-nft/rule-file.ts';

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

/** Without where it stands. */
const content = (statement: UnitStatement): object => ({ ...statement, place: undefined, pieces: undefined });
const rule = 'socket cgroupv2 level 2 "system.slice/a.service" accept';

describe('any file', () => {
  const names = fc.constantFrom('a.service', 'foo@x.service', 'app-firefox-*.scope', 'x-y.slice', 'a\\x2db.service');
  const paths = fc.constantFrom('"system.slice/a.service"', 'user.slice', '"a/b-*/[a-z]?.scope"', '"x\\x2dy.service"');
  const statements = fc.oneof(
    paths.map((path) => `socket cgroupv2 level 2 ${path} accept`),
    paths.map(
      (path) => `tcp dport { 25, 80-90 } socket cgroupv2 level 1 != { ${path}, "b" } counter accept comment "x; # {"`,
    ),
    paths.map((path) => `socket cgroupv2 level 1 . tcp dport vmap { ${path} . 25 : accept, "c" . 26 : jump x }`),
    fc.constantFrom('accept', 'ip6 daddr fe80::1 meta mark set 0x1', 'ct mark set (meta mark & 0xff) continue'),
  );
  const chain = fc.constantFrom('c', 'vpn.whitelist', 'a-b_c/d');
  const line = fc.oneof(
    fc.tuple(names, chain, statements).map(([unit, name, text]) => `# ${unit} :: add rule inet f ${name} ${text}`),
    fc.tuple(names, chain, statements).map(([unit, name, text]) => `##${unit}  ::  ip6 f ${name} \\\n#   ${text}`),
    fc
      .tuple(names, chain, fc.array(paths, { minLength: 1, maxLength: 4 }))
      .map(([unit, name, members]) => `# ${unit} :: add element inet f ${name} { ${members.join(' ,')} }`),
    fc.constantFrom('', 'table inet f {', '# prose :: here', '}'),
  );

  it('is the same after it was printed and read again', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const once = statementsOf(lines.join('\n'));
        const printed = printRuleFile(once);
        const twice = statementsOf(printed);
        assert.deepEqual(twice.map(content), once.map(content));
        assert.deepEqual(statementsOf(printRuleFile(twice)), twice);
        assert.equal(printRuleFile(twice), printed);
      }),
      { numRuns: 1000 },
    );
  });

  it('without a rule yields none', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 }).map((any) => any.replaceAll('::', ':'));
    fc.assert(
      fc.property(text, (any) => {
        assert.deepEqual(parseRuleFile(any, 'f'), { ok: true, statements: [], remarks: [] });
      }),
      { numRuns: 2000 },
    );
  });

  it('gives statements that are one printable line, or problems with file, line and column that no terminal obeys', () => {
    const good = `# a.service :: add rule inet f c ${rule}\n# b.scope :: add element inet f s { "a", "b" }\n`;
    const noise = fc.constantFrom(
      '"',
      '{',
      '}',
      ';',
      '#',
      '\\',
      '\n',
      '\r',
      '\t',
      ' ',
      '*',
      '[',
      '::',
      'return',
      '\u00e9',
      '\u0000',
    );
    const cut = fc.tuple(fc.nat(good.length), fc.nat(8), fc.oneof(noise, fc.string({ unit: 'binary', maxLength: 4 })));
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 5 }), (cuts) => {
        let text = good;
        for (const [at, length, more] of cuts) text = text.slice(0, at) + more + text.slice(at + length);
        const parsed = parseRuleFile(text, 'the.file');
        for (const { statement, unit } of parsed.ok ? parsed.statements : []) {
          assert.match(statement, /^[ -~]+$/);
          assert.match(unit, /^[!-~]+$/);
          const outside = statement.replace(/"[^"]*"/g, '');
          assert.doesNotMatch(outside, /[";#\\$]/);
          assert.equal(outside.split('{').length, outside.split('}').length);
        }
        for (const { file, line: at, column, message } of parsed.ok ? [] : parsed.problems) {
          assert.equal(file, 'the.file');
          assert.ok(Number.isInteger(at) && Number.isInteger(column) && (at ?? 0) > 0 && (column ?? 0) > 0, message);
          assert.ok((at ?? 0) <= text.split('\n').length);
          assert.doesNotMatch(message, /[\p{Cc}\p{Cs}]/u);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('may have ten thousand rules', () => {
    const text = Array.from(
      { length: 10_000 },
      (_, n) =>
        `# u${n}.service :: add rule inet f c \\\n#   socket cgroupv2 level 2 "system.slice/u${n}.service" accept\n`,
    ).join('');
    const found = statementsOf(text);
    assert.equal(found.length, 10_000);
    assert.equal(found.at(-1)?.cgroups[0]?.path, 'system.slice/u9999.service');
  });

  it('is refused at the first rule too many', () => {
    const text = '# a.service :: inet f c accept\n'.repeat(mostStatements);
    assert.equal(statementsOf(text).length, mostStatements);
    assert.deepEqual(problemsOf(`${text}# b.service :: inet f c accept`), [
      `${mostStatements + 1}:3 more than ${mostStatements} rules`,
    ]);
  });

  it('is refused when it, or a rule, is too large', () => {
    assert.deepEqual(problemsOf('x'.repeat(largestRuleFile + 1)), [`: larger than ${largestRuleFile} characters`]);
    assert.deepEqual(problemsOf(`# a.service :: inet f c accept comment "${'x'.repeat(70_000)}"`), [
      '1:16 rule of "a.service": longer than 65536 characters',
    ]);
  });

  it('is done with in linear time, whatever is in it: a test that hangs here fails by the time limit of the run', () => {
    const size = 4 * 1024 * 1024;
    const repeated = (unit: string): string => unit.repeat(Math.floor(size / unit.length));
    for (const unit of [
      '#',
      '# ',
      ' ',
      '\t',
      '\\',
      '# \\\n',
      '"',
      '{',
      '::',
      '# a.b :: ',
      '# a.b :: x \\\n# ',
      '#\n',
      '. ',
    ]) {
      for (const start of ['', '# a.service :: inet f c ']) parseRuleFile(start + repeated(unit), 'f');
    }
    assert.equal(
      statementsOf(`# a.service :: inet f \\\n${'# \\\n'.repeat(size / 8)}# c accept`)[0]?.statement,
      'accept',
    );
  });
});
