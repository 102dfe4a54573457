/** Zone files as blocks and entries: the grammar of the original, and what it would have died of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf } from '../../../src/dyndns/address.ts';
import { nameOf, type OptionalKind } from '../../../src/dyndns/record.ts';
import { eachEntry, parseZone, type Zone, type ZoneOptions } from '../../../src/dyndns/zone-file.ts';
import { bytesOf, hex6, keyA, keyB } from './fixtures.ts';

const a = keyA.verify.text;
const b = keyB.verify.text;

const parse = (text: string, options?: ZoneOptions): Zone => parseZone(bytesOf(text), options);

/** `kind name address` of each entry of the zone. */
function entries(zone: Zone): string[] {
  const found: string[] = [];
  for (const block of zone.blocks) {
    eachEntry(zone, block, (entry) => {
      found.push(`${entry.kind} ${nameOf(zone.bytes, entry)} ${addressOf(entry.value).text}`);
    });
  }
  return found;
}

test('a header is read in each spacing that the original takes', () => {
  for (const [text, timestamp] of [
    [`# dynamic: 0 ${a}`, 0],
    [`#dynamic:0 ${a}`, 0],
    [`  #  dynamic:   0   ${a}   `, 0],
    [`\t#\tdynamic:\t1405421249.89\t${a}`, 1405421249.89],
    [`# dynamic: 00012.5 ${a}`, 12.5],
    [`\v\f# dynamic: 7 ${a}\r`, 7],
  ] as const) {
    for (const end of ['', '\n']) {
      const [block, ...more] = parse(`+before:1.2.3.4\n${text}${end}`).blocks;
      assert.ok(block !== undefined && more.length === 0, JSON.stringify(text));
      assert.equal(block.timestamp, timestamp);
      assert.deepEqual(block.keys, [keyA.verify]);
      assert.ok(block.usable);
      const { start, end: to } = block.timestampSpan;
      assert.equal(Number(`+before:1.2.3.4\n${text}`.slice(start, to)), timestamp);
    }
  }
});

test('what the original takes for a plain comment is one here', () => {
  for (const text of [
    `# Dynamic: 0 ${a}`,
    `# dynamic: 1e9 ${a}`,
    `# dynamic: -1 ${a}`,
    `# dynamic: .5 ${a}`,
    `# dynamic: 5. ${a}`,
    `# dynamic: 5${a}`,
    `# dynamic: ${a}`,
    `# dynamic 0 ${a}`,
    `x # dynamic: 0 ${a}`,
    `## dynamic: 0 ${a}`,
    `#\u00a0dynamic: 0 ${a}`,
    `+dynamic:1.2.3.4`,
  ]) {
    assert.equal(parse(`${text}\n+a.net:1.2.3.4\n`).blocks.length, 0, text);
  }
});

test('words after a number sign in a header are a note, and a key named twice counts once', () => {
  const [block] = parse(`# dynamic: 5 ${a} ${b} ${a.slice(0, -1)} # Anna’s # laptop\n`).blocks;
  assert.deepEqual(block?.keys, [keyA.verify, keyB.verify]);
  assert.deepEqual(block?.repeatedKeys, [keyA.verify.id]);
  assert.ok(block?.usable);
  const [noted] = parseZone(Buffer.from(`# dynamic: 5 ${a}#Zoë’s\n`)).blocks;
  assert.equal(noted?.note, 'Zoë’s');
  assert.equal(noted?.keys.length, 1);
});

test('a header without a key is a block that nobody can update', () => {
  const zone = parse('# dynamic: 0\n+a.net:1.2.3.4\n');
  assert.deepEqual(zone.blocks[0]?.keys, []);
  assert.equal(zone.blocks[0]?.usable, true);
});

test('a block ends at a blank line, another comment, the next header or the end of the file', () => {
  for (const ending of ['', '   ', '\t\r', '# a note', '  # a note', '#', `#dynamic: 0 ${b}`]) {
    const zone = parse(`# dynamic: 0 ${a}\n+in.net:1.2.3.4\n${ending}\n+out.net:1.2.3.4\n`);
    const first = entries({ ...zone, blocks: zone.blocks.slice(0, 1) });
    assert.deepEqual(first, ['+ in.net 1.2.3.4'], JSON.stringify(ending));
  }
  assert.deepEqual(entries(parse(`# dynamic: 0 ${a}\n+last.net:1.2.3.4`)), ['+ last.net 1.2.3.4']);
});

const everyKind = [
  '+plus.net:1.2.3.4:300:4000000038af1379:ex',
  `6six.net:${hex6('2001:db8::6')}:300`,
  `3three.net:${hex6('2001:db8::3').toUpperCase()}`,
  ':gen.net:28:\\040\\001\\015\\270\\0\\000\\0\\000\\000\\000\\000\\000\\000\\000\\000\\007:300',
  ':mx.net:15:\\000',
  '=equal.net:1.2.3.5:300',
  '@at.net:1.2.3.6:mail:10',
  '.dot.net:1.2.3.7:ns',
  '&and.net:1.2.3.8:ns',
  'Ccname.net:a.net',
  '^4.3.2.1.in-addr.arpa:a.net',
  "'text.net:1.2.3.4",
  'Zz.net:a:b',
  '-off.net:1.2.3.4',
  '%ex:1.2.3',
  'whatever',
];

test('records of each kind count that an update changes by themselves; the others do not end the block', () => {
  const zone = parse(`# dynamic: 0 ${a}\n${everyKind.join('\n')}\n+end.net:1.2.3.9\n`);
  assert.deepEqual(zone.problems, []);
  assert.deepEqual(entries(zone), [
    '+ plus.net 1.2.3.4',
    '6 six.net 2001:db8::6',
    '3 three.net 2001:db8::3',
    ': gen.net 2001:db8::7',
    '+ end.net 1.2.3.9',
  ]);
  assert.deepEqual(zone.blocks[0]?.entries, { 4: 2, 6: 3 });
});

test('other kinds with an IPv4 address count where they are asked for', () => {
  const optional: OptionalKind[] = ['=', '@', '.', '&'];
  const zone = parse(`# dynamic: 0 ${a}\n${everyKind.join('\n')}\n@nowhere.net::mail\n&up.net:\n.self.net\n`, {
    optional,
  });
  assert.deepEqual(zone.problems, []);
  assert.deepEqual(
    entries(zone).filter((entry) => /^[=@.&]/.test(entry)),
    ['= equal.net 1.2.3.5', '@ at.net 1.2.3.6', '. dot.net 1.2.3.7', '& and.net 1.2.3.8'],
  );
});

test('blanks around a record, in its address field, CR LF and odd names are no obstacle', () => {
  const text = `# dynamic: 0 ${a}\r\n  +lead.net:1.2.3.4\r\n+trail.net:1.2.3.4 \t:300 \r\n+*.wild.net:010.0.0.1\r\n+:1.2.3.4\r\n+\xff\xfe\x00.net:300\r\n`;
  const zone = parse(text);
  assert.deepEqual(zone.problems, []);
  assert.deepEqual(entries(zone), [
    '+ lead.net 1.2.3.4',
    '+ trail.net 1.2.3.4',
    '+ *.wild.net 8.0.0.1',
    '+  1.2.3.4',
    '+ \\377\\376\\000.net 0.0.1.44',
  ]);
});

test('what killed the original makes one block unusable, with its line, and leaves the others alone', () => {
  const broken = [
    ['+name', /without an address/],
    ['+name:', /without an address/],
    ['+name::300', /without an address/],
    ['+name: 1.2.3.4', /no IPv4 address/],
    ['+name:1.2.3.4.5', /no IPv4 address/],
    ['+name:256.1.1.1', /no IPv4 address/],
    ['+name:1.2.3.4x', /no IPv4 address/],
    ['+name:2001', undefined],
    ['+name:a.net', /no IPv4 address/],
    ['6name', /without an address/],
    ['6name:2001:db8::1', /32 hexadecimal/],
    [`6name:${'0'.repeat(31)}`, /32 hexadecimal/],
    [`6name:${'0'.repeat(33)}`, /32 hexadecimal/],
    [`6name:${'0'.repeat(31)}g`, /32 hexadecimal/],
    ['3name:', /without an address/],
    [':name:28:', /not 16 bytes/],
    [':name:28', /not 16 bytes/],
    [`:name:28:${'\\001'.repeat(15)}`, /not 16 bytes/],
    [`:name:28:${'\\001'.repeat(17)}`, /not 16 bytes/],
    [`:name:028:${'\\001'.repeat(15)}a`, undefined],
  ] as const;
  for (const [line, problem] of broken) {
    const zone = parse(
      `+x:1.1.1.1\n# dynamic: 0 ${a}\n+ok.net:1.2.3.4\n${line}\n\n# dynamic: 0 ${b}\n+b.net:1.2.3.4\n`,
    );
    assert.deepEqual(
      zone.blocks.map(({ usable }) => usable),
      [problem === undefined, true],
      line,
    );
    if (problem === undefined) continue;
    assert.equal(zone.problemCount, 1);
    assert.match(zone.problems[0]?.message ?? '', problem, line);
    assert.deepEqual([zone.problems[0]?.line, zone.problems[0]?.blockLine], [4, 2], line);
  }
});

test('a key that is none, that anyone could sign for, or that is half pasted makes its block unusable', () => {
  for (const word of ['key', 'A'.repeat(43), `${a.slice(0, 30)}`, `!!!${a}`]) {
    const zone = parse(`# dynamic: 0 ${b} ${word}\n+a.net:1.2.3.4\n# dynamic: 0 ${b}\n+b.net:1.2.3.4\n`);
    assert.deepEqual(
      zone.blocks.map(({ usable }) => usable),
      [false, true],
    );
    assert.equal(zone.problems[0]?.line, 1);
    assert.match(zone.problems[0]?.message ?? '', /^the header names a /);
  }
});

test('a timestamp beyond all numbers makes the block unusable', () => {
  const zone = parse(`# dynamic: ${'9'.repeat(400)} ${a}\n+a.net:1.2.3.4\n`);
  assert.equal(zone.blocks[0]?.usable, false);
  assert.match(zone.problems[0]?.message ?? '', /too large/);
});

test('all problems are counted, and as many kept as asked for, each with its line', () => {
  const text = `# dynamic: 0 ${a}\n${'+bad\n'.repeat(250)}\n# dynamic: 0 ${b} x\n+bad:y\n`;
  const zone = parse(text);
  assert.equal(zone.problemCount, 252);
  assert.equal(zone.problems.length, 100);
  const all = parse(text, { mostProblems: Number.POSITIVE_INFINITY }).problems;
  assert.deepEqual(
    all.map(({ line }) => line),
    [...Array.from({ length: 250 }, (_, index) => index + 2), 253, 254],
  );
  assert.equal(all.at(-1)?.blockLine, 253);
});

test('the word "dynamic:" elsewhere begins nothing', () => {
  const text = `+dynamic:1.2.3.4\n'x:# dynamic: 0 ${a}\n# see # dynamic: 0 ${a}\n${'dynamic:'.repeat(50)}\n# dynamic: 0 ${a}\n+a.net:1.1.1.1`;
  const zone = parse(text);
  assert.equal(zone.blocks.length, 1);
  assert.deepEqual(entries(zone), ['+ a.net 1.1.1.1']);
});

test('any bytes are parsed without a throw, and each block lies where its header is', () => {
  const word = fc.constantFrom(
    '# dynamic: ',
    '0',
    '1.5',
    ' ',
    '\n',
    '\r\n',
    a,
    b,
    '+a:',
    '1.2.3.4',
    ':',
    '6',
    '#',
    '\\0',
    '28',
  );
  const texts = fc.array(fc.oneof({ weight: 9, arbitrary: word }, fc.string({ unit: 'binary', maxLength: 4 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(texts, fc.uint8Array({ maxLength: 20 }), (words, tail) => {
      const bytes = Buffer.concat([bytesOf(words.join('')), tail]);
      const zone = parseZone(bytes, { optional: ['=', '@', '.', '&'] });
      let from = 0;
      for (const { start, body, timestampSpan, timestamp } of zone.blocks) {
        assert.ok(start >= from && body.start > start && body.end >= body.start && body.end <= bytes.length);
        assert.equal(Number(bytes.toString('latin1', timestampSpan.start, timestampSpan.end)), timestamp);
        from = body.end;
      }
      assert.equal(
        zone.problemCount > 0,
        zone.blocks.some(({ usable }) => !usable),
      );
      entries(zone);
    }),
    { numRuns: 3000 },
  );
});
