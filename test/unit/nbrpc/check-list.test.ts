/** The check-list grammar, token by token as the contract's table has it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { largestList, mostHosts, mostTokens, parseCheckList, parseToken } from '../../../src/nbrpc/check-list.ts';

const parse = (text: string | Uint8Array) =>
  parseCheckList(typeof text === 'string' ? new TextEncoder().encode(text) : text, 'my.list');

function entriesOf(text: string): readonly string[] {
  const parsed = parse(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return [...parsed.entries.values()].map(
    ({ host, check, policy }) => `${host} ${check.type} ${check.path} ${check.result || '-'} ${policy || '-'}`,
  );
}

function problemsOf(text: string | Uint8Array): readonly string[] {
  const parsed = parse(text);
  assert.ok(!parsed.ok);
  return parsed.problems.map(({ line, column, message }) => `${line ?? ''}:${column ?? ''} ${message}`);
}

describe('a check-list token', () => {
  const table: Record<string, string> = {
    a: 'a https / - -',
    'a=200/503': 'a https / 200/503 -',
    'a=na': 'a https / na -',
    'a=': 'a https / - -',
    'a:http=301': 'a http / 301 -',
    'a:http': 'a http / - -',
    'a:dns': 'a dns / - -',
    'a:dns=na': 'a dns / na -',
    'a:https/x?k==v=404': 'a https /x?k=v 404 -',
    'a:https/x===200': 'a https /x= 200 -',
    'a>pick.6:https/x=1': 'a https /x 1 pick.6',
    'a>LD4': 'a https / - LD4',
    'a>': 'a https / - -',
    'a>pick=200': 'a https / 200 pick',
    'a=200:http': 'a=200 http / - -',
    'a:https:8443': 'a https:8443 / - -',
    'a:': 'a  / - -',
    'a:dns/x': 'a dns/x / - -',
    'a:httpsx': 'a httpsx / - -',
    'A.Example.COM.': 'A.Example.COM. https / - -',
    'a:https/x>y': 'a https /x>y - -',
    'a:https/x:y': 'a https /x:y - -',
    'a:https/é=200': 'a https /é 200 -',
    '_dmarc.example-1.org': '_dmarc.example-1.org https / - -',
    'r3---sn.example': 'r3---sn.example https / - -',
    '192.0.2.1': '192.0.2.1 https / - -',
  };
  for (const [token, expected] of Object.entries(table)) {
    it(`${token} is: ${expected}`, () => assert.deepEqual(entriesOf(token), [expected]));
  }

  const bad: Record<string, RegExp> = {
    'a:https/a=b=c': /unknown result "b=c"/,
    'a=dns': /unknown result "dns"/,
    'a=na/200': /unknown result/,
    'a=2x': /unknown result/,
    'a=+': /unknown result/,
    'a>nosuch': /unknown policy "nosuch": one of af-any, af-all, af-pick, pick, noroute/,
    'a>pick.X': /unknown policy flag in "X"/,
    'a>.4': /unknown policy ""/,
    'a>b>c': /unknown policy "b>c"/,
    ':https': /host name is missing/,
    '=200': /host name is missing/,
    '>pick': /host name is missing/,
    'a..b': /empty label/,
    '.': /empty label/,
    '.a': /empty label/,
    '-a.example': /cannot start with "-"/,
    'a;drop': /cannot contain ";"/,
    "a'b": /cannot contain "'"/,
    'a"b': /cannot contain/,
    'a$(x)': /cannot contain "\$"/,
    'a*': /cannot contain/,
    'a/b:https': /cannot contain "\/"/,
    'a{}': /cannot contain/,
    'bücher.example': /xn--/,
    [`${'a'.repeat(64)}.example`]: /at most 63/,
    [`${'a.'.repeat(127)}example`]: /at most 253/,
    'a\u001b[31m': /a\\x1b\[31m: it has a control character/,
    'a\u0000': /control character/,
    'a:https/\u202e': /control character/,
    [`a:https/${'x'.repeat(5000)}`]: /longer than 4096/,
  };
  for (const [token, message] of Object.entries(bad)) {
    const name = JSON.stringify(token.length > 40 ? `${token.slice(0, 40)}…` : token);
    it(`${name} is refused`, () => {
      const parsed = parseToken(token);
      assert.ok(!parsed.ok);
      assert.match(parsed.message, message);
    });
  }

  it('never gives a host, type or message with a character that a terminal, nft, a shell or a zone file would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const parsed = parseToken(text);
        if (parsed.ok) {
          assert.match(parsed.entry.host, /^[A-Za-z0-9_=.-]+$/);
          assert.doesNotMatch(`${parsed.entry.check.type}${parsed.entry.check.path}`, /\p{Cc}/u);
        } else {
          assert.doesNotMatch(parsed.message, /\p{Cc}/u);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a check list', () => {
  it('is split at white space of every kind, and at line ends of every kind', () => {
    assert.deepEqual(entriesOf('a\tb\u00a0c\r\nd\re\n\n f ').length, 6);
  });

  it('ends a line at #, in a path and at the start of a token too', () => {
    assert.deepEqual(entriesOf('a # b c\n#d\ne:https/x#y=404 f\ng'), [
      'a https / - -',
      'e https /x - -',
      'g https / - -',
    ]);
  });

  it('lets a later token of the same host win', () => {
    assert.deepEqual(entriesOf('a=200 b a>pick=404'), ['a https / 404 pick', 'b https / - -']);
  });

  it('takes names of different case for different hosts', () => {
    assert.equal(entriesOf('a A a.').length, 3);
  });

  it('may be empty', () => assert.deepEqual(entriesOf(' # nothing\n'), []));

  it('may start with a byte order mark', () => assert.deepEqual(entriesOf('\ufeffa'), ['a https / - -']));

  it('tells every mistake at once, with line and column', () => {
    assert.deepEqual(problemsOf('good a=x\n  b>y # c=z\n:https'), [
      '1:6 a=x: unknown result "x": codes such as 200/503, or na',
      '2:3 b>y: unknown policy "y": one of af-any, af-all, af-pick, pick, noroute',
      '3:1 :https: the host name is missing',
    ]);
  });

  it('keeps an unknown check type, with a remark', () => {
    const parsed = parse('ok\nb:https:8443');
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.remarks, [
      { file: 'my.list', line: 2, column: 1, message: 'b: unknown check type "https:8443", so it is never checked' },
    ]);
  });

  it('counts the mistakes that are too many to tell', () => {
    const problems = problemsOf('a=x '.repeat(60));
    assert.equal(problems.length, 51);
    assert.equal(problems.at(-1), ': and 10 more');
  });

  it('that is some other file is read no further than it takes to know, and its messages stay short', () => {
    const problems = problemsOf('a=x\n'.repeat(4_000_000));
    assert.deepEqual([problems.length, problems.at(-1)], [51, ': and at least 950 more']);
    for (const token of ['a'.repeat(10_000), `a>${'x'.repeat(4000)}`, `a=${'x'.repeat(4000)}`]) {
      const [problem = ''] = problemsOf(token);
      assert.ok(problem.length < 500, problem);
    }
    assert.deepEqual(problemsOf('a\n'.repeat(mostTokens + 1)), [`${mostTokens + 1}:1 more than ${mostTokens} words`]);
  });

  it('counts lines over line ends of every kind, in runs too', () => {
    assert.deepEqual(problemsOf('\n\r\n\r\r\n# x\n\n a=x#\r\n\n  b=x'), [
      '7:2 a=x: unknown result "x": codes such as 200/503, or na',
      '9:3 b=x: unknown result "x": codes such as 200/503, or na',
    ]);
  });

  it('tells the remarks that are too many to tell by their count', () => {
    const parsed = parse(Array.from({ length: 60 }, (_, n) => `h${n}:ftp`).join('\n'));
    assert.ok(parsed.ok);
    assert.deepEqual([parsed.remarks.length, parsed.remarks.at(-1)?.message], [51, 'and 10 more']);
  });

  it('is refused when it is no UTF-8 text', () =>
    assert.deepEqual(problemsOf(Buffer.from([0x61, 0xff])), [': not UTF-8 text']));

  it('is refused when it is larger than a list can be', () => {
    assert.deepEqual(problemsOf(new Uint8Array(largestList + 1)), [`: larger than ${largestList} bytes`]);
  });
});

it('a list of more hosts than a machine could look after is refused at the first one too many', () => {
  const hosts = (count: number): Uint8Array =>
    new TextEncoder().encode(Array.from({ length: count }, (_, n) => `h${n}.example`).join('\n'));
  const full = parseCheckList(hosts(mostHosts), 'my.list');
  assert.equal(full.ok && full.entries.size, mostHosts);
  assert.deepEqual(parseCheckList(hosts(mostHosts + 1), 'my.list'), {
    ok: false,
    problems: [{ file: 'my.list', line: mostHosts + 1, column: 1, message: `more than ${mostHosts} hosts` }],
    count: 1,
  });
});
