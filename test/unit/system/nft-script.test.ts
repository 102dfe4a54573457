/** nft text: what is asked is rendered, and nothing that was not validated gets in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressTypeOf, canonicalAddress } from '../../../src/system/nft-address.ts';
import { NftError, nftErrorFrom } from '../../../src/system/nft-error.ts';
import { identifierProblem, type NftOperation, nftScript, splitOperations } from '../../../src/system/nft-script.ts';

const table = { family: 'inet', name: 'netsteward-nbrpc' } as const;

test('every operation becomes one line of nft', () => {
  const set = 'blocked4';
  const script = nftScript(
    { op: 'delete-table', table },
    { op: 'add-table', table, flags: ['owner', 'persist'] },
    { op: 'add-set', table, set, type: 'ipv4_addr' },
    { op: 'add-chain', table, chain: 'out', type: 'route', hook: 'output' },
    {
      op: 'add-rule',
      table,
      chain: 'out',
      when: [{ kind: 'sport', protocol: 'tcp', from: 61000, to: 64999 }],
      action: { kind: 'return' },
    },
    {
      op: 'add-rule',
      table,
      chain: 'out',
      when: [{ kind: 'daddr-in-set', type: 'ipv4_addr', set }],
      action: { kind: 'mark', mark: 0x10000, mask: 0xff0000 },
    },
    { op: 'flush-set', table, set },
    { op: 'add-elements', table, set, addresses: ['192.0.2.1', '2001:DB8:0:0::1'] },
    { op: 'delete-elements', table, set, addresses: [] },
  );
  const lines = [
    'delete table inet netsteward-nbrpc',
    'add table inet netsteward-nbrpc { flags owner, persist; }',
    'add set inet netsteward-nbrpc blocked4 { type ipv4_addr; }',
    'add chain inet netsteward-nbrpc out { type route hook output priority mangle; policy accept; }',
    'add rule inet netsteward-nbrpc out tcp sport 61000-64999 return',
    'add rule inet netsteward-nbrpc out ip daddr @blocked4 meta mark set meta mark & 0xff00ffff | 0x00010000',
    'flush set inet netsteward-nbrpc blocked4',
    'add element inet netsteward-nbrpc blocked4 { 192.0.2.1, 2001:db8::1 }',
  ];
  assert.equal(script.text, lines.map((line) => `${line}\n`).join(''));
  assert.equal(script.line, lines.join('; '));
  assert.equal(nftScript().empty, true);
});

const hostile = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'x"; flush ruleset',
    'x\nflush ruleset',
    'x; flush ruleset',
    'x } ; flush ruleset ; add table inet y {',
    'x\\\nflush ruleset',
    'include "/etc/shadow"',
    '$HOME',
    '@set',
    '#',
    '',
    '-a',
    'a'.repeat(256),
    'é',
    '192.0.2.1; flush ruleset',
    '192.0.2.1-192.0.2.9',
    '192.0.2.0/24',
    '0.0.0.0/0',
    'localhost',
    'fe80::1%eth0',
    '::1 }',
    '1.2.3',
    '01.2.3.4',
  ),
);

/** All words of nft that one operation of these may be made of. */
const wholeLine =
  /^(?:(?:flush set|list set|add set|delete table|add table|add chain|add rule|(?:add|delete) element) )(?:inet) [A-Za-z_.][\w./-]*(?: [A-Za-z_.][\w./-]*)?(?: \{ (?:type ipv4_addr;|type filter hook output priority mangle; policy accept;|[0-9a-f.:]+(?:, [0-9a-f.:]+)*) \}| (?:ip daddr @[A-Za-z_.][\w./-]*) return)?$/;

test('whatever a name or an address is, a script either refuses it or is exactly one command of the asked kind', () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 0, max: 8 }), (text, which) => {
      const named = { family: 'inet', name: text } as const;
      const operations: readonly NftOperation[] = [
        { op: 'add-table', table: named },
        { op: 'delete-table', table: named },
        { op: 'flush-set', table, set: text },
        { op: 'list-set', table, set: text },
        { op: 'add-set', table, set: text, type: 'ipv4_addr' },
        { op: 'add-chain', table, chain: text, type: 'filter', hook: 'output' },
        { op: 'add-elements', table, set: 's', addresses: [text] },
        { op: 'delete-elements', table, set: 's', addresses: ['192.0.2.1', text] },
        {
          op: 'add-rule',
          table,
          chain: 'c',
          when: [{ kind: 'daddr-in-set', type: 'ipv4_addr', set: text }],
          action: { kind: 'return' },
        },
      ];
      const operation = operations[which];
      if (operation === undefined) return;
      let rendered: string;
      try {
        rendered = nftScript(operation).text;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'nft-script-invalid');
        return;
      }
      assert.match(rendered.slice(0, -1), wholeLine);
      assert.equal(rendered.indexOf('\n'), rendered.length - 1);
    }),
    { numRuns: 3000 },
  );
});

test('values that are not of their type are refused at run time too', () => {
  const lies: readonly unknown[] = [
    { op: 'add-table', table: { family: 'inet x; flush ruleset', name: 't' } },
    { op: 'add-table', table, flags: ['owner; }; flush ruleset; {'] },
    { op: 'add-set', table, set: 's', type: 'ipv4_addr; }; flush ruleset' },
    { op: 'add-chain', table, chain: 'c', type: 'filter', hook: 'output; flush ruleset' },
    { op: 'add-chain', table, chain: 'c', type: 'nat', hook: 'output' },
    { op: 'add-elements', table, set: 's', addresses: [{ toString: () => '192.0.2.1' }] },
    { op: 'add-elements', table, set: { toString: () => 's' }, addresses: ['192.0.2.1'] },
    { op: 'flush ruleset' },
  ];
  for (const lie of lies) assert.throws(() => nftScript(lie as NftOperation), { code: 'nft-script-invalid' });
  const rule = (when: unknown, action: unknown): unknown => ({
    op: 'add-rule',
    table,
    chain: 'c',
    when: [when],
    action,
  });
  const sport = { kind: 'sport', protocol: 'tcp', from: 1, to: 2 };
  for (const lie of [
    rule({ ...sport, from: '1; flush ruleset' }, { kind: 'return' }),
    rule({ ...sport, from: 3 }, { kind: 'return' }),
    rule({ ...sport, to: 65536 }, { kind: 'return' }),
    rule({ kind: 'skuid', uid: '0 accept' }, { kind: 'return' }),
    rule({ kind: 'skuid', uid: -1 }, { kind: 'return' }),
    rule(sport, { kind: 'mark', mark: 0x20000, mask: 0x10000 }),
    rule(sport, { kind: 'mark', mark: 2 ** 32, mask: 2 ** 32 }),
  ]) {
    assert.throws(() => nftScript(lie as NftOperation), { code: 'nft-script-invalid' });
  }
});

test('addresses are canonical: what two texts of one address become is the same', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::FFFF:192.0.2.1', '::ffff:c000:201'],
    ['::ffff:c000:201', '::ffff:c000:201'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['fe80::1%eth0', undefined],
    ['192.0.2.1/32', undefined],
    [' 192.0.2.1', undefined],
    ['192.0.2.01', undefined],
    ['192.0.2', undefined],
    ['', undefined],
  ];
  for (const [text, canonical] of cases) assert.equal(canonicalAddress(text), canonical, text);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const canonical = canonicalAddress(text);
      assert.ok(canonical !== undefined);
      assert.equal(canonicalAddress(canonical), canonical);
      assert.equal(addressTypeOf(canonical), text.includes(':') ? 'ipv6_addr' : 'ipv4_addr');
    }),
  );
});

test('names follow the scanner of nft and the limit of the kernel', () => {
  for (const name of ['filter', 'vpn.whitelist', 'a/b', 'netsteward-nbrpc', 'x_1', '_a', '.a', 'a'.repeat(255)]) {
    assert.equal(identifierProblem(name), undefined, name);
  }
  for (const name of ['', '1a', '-a', '.', 'a b', 'a\\b', 'a;b', 'a"b', 'a'.repeat(256)]) {
    assert.notEqual(identifierProblem(name), undefined, name);
  }
});

test('a split keeps order and content, and no part has more elements than asked', () => {
  const element = fc.integer({ min: 0, max: 255 }).map((n) => `192.0.2.${n}`);
  const operation = fc.oneof(
    fc.constant<NftOperation>({ op: 'flush-set', table, set: 's' }),
    fc
      .array(element, { maxLength: 20 })
      .map((addresses): NftOperation => ({ op: 'add-elements', table, set: 's', addresses })),
  );
  const flat = (operations: readonly NftOperation[]): readonly string[] =>
    operations.flatMap((one) => ('addresses' in one ? one.addresses : [one.op]));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (operations, most) => {
      const parts = splitOperations(operations, most);
      assert.deepEqual(
        parts.flatMap((part) => flat(part.operations)),
        flat(operations),
      );
      for (const part of parts) {
        const count = part.operations.reduce((sum, one) => sum + ('addresses' in one ? one.addresses.length : 0), 0);
        assert.ok(count <= most);
      }
    }),
  );
});

test("an error carries nft's own words, sorted, cut and harmless to a terminal", () => {
  const kinds: readonly (readonly [string, string, string])[] = [
    ['netlink: Error: Could not process rule: Message too long', 'too-long', 'nft-message-too-long'],
    ['Error: Could not process rule: Operation not permitted', 'not-permitted', 'nft-refused'],
    ['Error: syntax error, unexpected comma, expecting newline or semicolon', 'syntax', 'nft-refused'],
    ['Error: No such file or directory', 'missing', 'nft-refused'],
    ['Error: Could not process rule: Operation not supported', 'unsupported', 'nft-refused'],
    ['', 'other', 'nft-refused'],
  ];
  for (const [text, refusal, code] of kinds) {
    const error = nftErrorFrom(text);
    assert.ok(error instanceof NftError);
    assert.deepEqual([error.refusal, error.code], [refusal, code]);
    assert.notEqual(error.message, '');
  }
  const long = nftErrorFrom(`Error: \u001b[2J${'1.2.3.4, '.repeat(100_000)}\n${'line\n'.repeat(1000)}`);
  assert.ok(long.message.length < 4000);
  assert.ok(!long.message.includes('\u001b'));
});
