/** Blocks without the rest of their file, and put back into it: the same bytes as by an edit of the whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blocksAlone, isSparse, withBlocks } from '../../../src/dyndns/zone-blocks.ts';
import { editZone } from '../../../src/dyndns/zone-edit.ts';
import { parseZone } from '../../../src/dyndns/zone-file.ts';
import { address, bytesOf, keyA, keyB } from './fixtures.ts';

const line = fc.constantFrom(
  `# dynamic: 0 ${keyA.verify.text}`,
  `#dynamic:12.5 ${keyA.verify.text} ${keyB.verify.text} # note`,
  `# dynamic: 7 ${keyB.verify.text}`,
  '# dynamic: 3 broken',
  '# a comment \xff',
  '',
  '  ',
  '+a.net:127.0.0.5',
  '  +b.net:127.0.0.55:300  ',
  '+c.net:nonsense',
  `6d.net:${'0'.repeat(31)}1`,
  '=host.net:127.0.0.5',
);
const text = fc
  .tuple(fc.array(line, { maxLength: 25 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, ended]) => lines.join(end) + (ended ? end : ''));

test('an edit of the blocks alone, put back, is the edit of the whole file, problems and their lines included', () => {
  fc.assert(
    fc.property(text, fc.constantFrom('198.51.100.7', '127.0.0.5', '2001:db8::7'), (content, to) => {
      const whole = parseZone(bytesOf(content));
      const alone = blocksAlone(whole);
      assert.deepEqual(
        alone.blocks.map(({ keys, timestamp, usable, entries, note }) => ({ keys, timestamp, usable, entries, note })),
        whole.blocks.map(({ keys, timestamp, usable, entries, note }) => ({ keys, timestamp, usable, entries, note })),
      );
      assert.deepEqual(alone.problems, whole.problems);
      const update = { keyId: keyA.verify.id, address: address(to), timestamp: 1405421540.25 };
      const [wanted, made] = [editZone(whole, update), editZone(alone, update)];
      assert.deepEqual(made.changes, wanted.changes);
      const edited = made.bytes === undefined ? alone : parseZone(made.bytes);
      const put = Buffer.concat(withBlocks(whole, edited));
      assert.equal(put.toString('latin1'), (wanted.bytes ?? whole.bytes).toString('latin1'));
    }),
    { numRuns: 500 },
  );
});

/** Not a copy: small ones may share one ArrayBuffer, Node's pool. */
function isPartOf(piece: Uint8Array, bytes: Uint8Array): boolean {
  const at = piece.byteOffset - bytes.byteOffset;
  return piece.buffer === bytes.buffer && at >= 0 && at + piece.length <= bytes.length;
}

test('what is between the blocks is not copied', () => {
  const filler = '+filler.net:192.0.2.9\n'.repeat(100);
  const whole = parseZone(bytesOf(`${filler}\n# dynamic: 0 ${keyA.verify.text}\n+a.net:127.0.0.5\n\n${filler}`));
  assert.ok(isSparse(whole));
  const alone = blocksAlone(whole);
  assert.ok(alone.bytes.length < 120);
  const update = { keyId: keyA.verify.id, address: address('127.0.0.6'), timestamp: 1 };
  const made = editZone(alone, update).bytes;
  assert.ok(made);
  const pieces = withBlocks(whole, parseZone(made));
  assert.deepEqual(
    pieces.map((piece) => isPartOf(piece, whole.bytes)),
    [true, false, true],
  );
  assert.equal(isSparse(parseZone(bytesOf(`# dynamic: 0 ${keyA.verify.text}\n${filler}`))), false);
});
