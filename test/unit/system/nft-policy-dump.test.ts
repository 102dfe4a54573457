/** Policy dumps and lines: what the drop-in takes, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BoundedLines } from '../../../src/system/linux/nft-lines.ts';
import { parsePolicyDump, parseVerdictSets, setsOfDump } from '../../../src/system/linux/nft-policy-dump.ts';

test('set names are ok:na, ok alone, :na alone, or nothing', () => {
  assert.deepEqual(parseVerdictSets('a:b'), { ok: 'a', na: 'b' });
  assert.deepEqual(parseVerdictSets('a'), { ok: 'a', na: undefined });
  assert.deepEqual(parseVerdictSets(':b'), { ok: undefined, na: 'b' });
  assert.deepEqual(parseVerdictSets(''), { ok: undefined, na: undefined });
  for (const text of ['a:b:c', 'a b', 'x;y', '1a'])
    assert.throws(() => parseVerdictSets(text), { code: 'set-names-invalid' });
});

test('the first verdict on an address wins, and the contradiction is told', () => {
  const dump = parsePolicyDump(
    'ok a.example 2001:DB8::1 https\nna b.example 2001:db8:0::1 https\nok c.example 2001:db8::1 dns',
  );
  assert.deepEqual([...dump.verdicts], [['2001:db8::1', 'ok']]);
  assert.deepEqual(dump.conflicts, ['2001:db8::1 stays ok, though b.example says na']);
});

test('addresses go to the set of their family and verdict; all named sets are in, empty ones too', () => {
  const dump = parsePolicyDump('ok a 192.0.2.1 https\nna b 192.0.2.2 https\nna b 2001:db8::2 https');
  const sets = setsOfDump(dump, parseVerdictSets('ok4:na4'), parseVerdictSets('ok6:na6'));
  assert.deepEqual(
    sets,
    new Map([
      ['ok4', new Set(['192.0.2.1'])],
      ['na4', new Set(['192.0.2.2'])],
      ['ok6', new Set()],
      ['na6', new Set(['2001:db8::2'])],
    ]),
  );
  const some = setsOfDump(dump, parseVerdictSets(':na4'), parseVerdictSets(''));
  assert.deepEqual(some, new Map([['na4', new Set(['192.0.2.2'])]]));
});

test('an empty dump is a dump without addresses; any other line must be whole', () => {
  assert.equal(parsePolicyDump('').verdicts.size, 0);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!text.includes('\n') && text !== '');
      assert.throws(() => parsePolicyDump(`ok a 192.0.2.1 https\n${text}`), { code: 'policy-dump-invalid' });
    }),
  );
  assert.throws(
    () => parsePolicyDump('ok a 192.0.2.1 https\n\u001b[2J'),
    (error: Error) => !error.message.includes('\u001b'),
  );
});

test('lines are the same however the bytes were cut, and one beyond the bound is told', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-zé]{0,20}$/)), fc.array(fc.nat(300)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const reader = new BoundedLines(64);
      const places = [...cuts.filter((cut) => cut < bytes.length), bytes.length].sort((a, b) => a - b);
      const found: string[] = [];
      let from = 0;
      for (const to of places) {
        const some = reader.add(bytes.subarray(from, to));
        assert.notEqual(some, 'too-long');
        if (some !== 'too-long') found.push(...some);
        from = to;
      }
      assert.deepEqual(found, lines);
      assert.equal(reader.pending, 0);
    }),
  );
  assert.equal(new BoundedLines(4).add(Buffer.from('12345')), 'too-long');
  assert.equal(new BoundedLines(4).add(Buffer.from('1234\n12345\n')), 'too-long');
  assert.deepEqual(new BoundedLines(4).add(Buffer.from('1234\n')), ['1234']);
});
