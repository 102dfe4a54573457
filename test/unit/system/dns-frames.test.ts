/** DNS messages of a stream, however it is cut into chunks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DnsFrames, framed } from '../../../src/system/linux/dns-frames.ts';

test('whatever the cuts, the messages come out whole and in order, and a rest stays for later', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 60 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(framed));
        const frames = new DnsFrames();
        const came: string[] = [];
        let at = 0;
        for (let turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % cuts.length] ?? 1);
          frames.push(Buffer.from(stream.subarray(at, end)), (message) => came.push(message.toString('hex')));
          at = end;
        }
        assert.deepEqual(
          came,
          messages.map((message) => Buffer.from(message).toString('hex')),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a message that is not whole is not told', () => {
  const frames = new DnsFrames();
  const came: Buffer[] = [];
  const whole = framed(Buffer.alloc(300, 7));
  frames.push(whole.subarray(0, 1), (message) => came.push(message));
  frames.push(whole.subarray(1, 301), (message) => came.push(message));
  assert.equal(came.length, 0);
  frames.push(Buffer.concat([whole.subarray(301), whole]), (message) => came.push(message));
  assert.deepEqual(
    came.map((message) => message.length),
    [300, 300],
  );
});

test('the length stands before the message, high byte first', () => {
  assert.equal(framed(Buffer.alloc(258, 1)).subarray(0, 3).toString('hex'), '010201');
  assert.equal(framed(Buffer.alloc(0)).toString('hex'), '0000');
});
