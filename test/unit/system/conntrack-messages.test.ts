/** Questions for tracked connections and their deletion, byte for byte as linux/netfilter/nfnetlink_conntrack.h has them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Address6 } from 'ip-address';
import {
  addressBytes,
  connectionsQuestion,
  deletions,
  destinationKey,
  parseConnections,
  parseErrors,
} from '../../../src/system/linux/conntrack-messages.ts';
import { littleEndian } from '../../../src/system/linux/netlink-attributes.ts';

// Golden bytes are in the order of x86 and arm.
const skip = littleEndian ? false : 'NOT TESTED: a big-endian machine';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const hexOf = (bytes: Buffer): string => bytes.toString('hex');

/** One entry of a dump, as `strace conntrack -L` shows it: 192.0.2.9:1024 to 203.0.113.7:443, TCP; id and a status beside it. */
const tuple = `
  1400 0180  0800 0100 c0000209  0800 0200 cb007107
  1c00 0280  0500 0100 06000000  0600 0200 04000000  0600 0300 01bb0000`;
const entry = (sequence: string): string => `
  58000000 0001 0200 ${sequence} 00000000  02 00 0000
  3400 0180 ${tuple}
  0800 0300 0000018e
  0800 0c00 11223344`;
const done = (sequence: string): string => `14000000 0300 0200 ${sequence} 00000000 00000000`;
const error = (sequence: string, negative: string): string =>
  `24000000 0200 0000 ${sequence} 00000000 ${negative} 4c000000 0201 0100 ${sequence} 00000000`;

describe('questions for tracked connections', { skip }, () => {
  test('a dump of a family says no more than the family', () => {
    assert.equal(hexOf(connectionsQuestion(7, 6)), hexOf(hex('14000000 0101 0103 07000000 00000000 0a 00 0000')));
  });

  test('a dump by an IPv4 destination names it in the original tuple, and says in the filter that this alone counts', () => {
    const wanted = hex(`
      30000000 0101 0103 07000000 00000000 02 00 0000
      1000 0180  0c00 0180  0800 0200 cb007107
      0c00 1980  0800 0100 02000000`);
    assert.equal(hexOf(connectionsQuestion(7, 4, '203.0.113.7')), hexOf(wanted));
  });

  test('an address of either family becomes the bytes that packets have', () => {
    assert.equal(hexOf(addressBytes('203.0.113.7')), 'cb007107');
    assert.equal(hexOf(addressBytes('2001:db8::1:0:a')), '20010db800000000000000010000000a');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const address = Address6.fromByteArray([...bytes]).correctForm();
        assert.deepEqual([...addressBytes(address)], [...bytes]);
      }),
    );
  });
});

describe('answers about tracked connections', { skip }, () => {
  const wanted = new Set([destinationKey('203.0.113.7')]);

  test('of a dump, those to a wanted address are taken, with all that names them to the kernel', () => {
    const { connections, end } = parseConnections(hex(entry('07000000') + done('07000000')), 7, wanted);
    assert.deepEqual(end, { errno: 0 });
    assert.equal(connections.length, 1);
    assert.equal(hexOf(connections[0]?.tuple ?? Buffer.alloc(0)), hexOf(hex(tuple)));
    assert.equal(hexOf(connections[0]?.identity ?? Buffer.alloc(0)), '11223344');
    assert.equal(connections[0]?.zone, undefined);
  });

  test('what goes elsewhere is passed over, and so is what comes from there', () => {
    const bytes = hex(entry('07000000'));
    assert.deepEqual(parseConnections(bytes, 7, new Set([destinationKey('203.0.113.8')])).connections, []);
    assert.deepEqual(parseConnections(bytes, 7, new Set([destinationKey('192.0.2.9')])).connections, []);
  });

  test('an answer to another question says nothing, not even that it has ended', () => {
    const { connections, end } = parseConnections(hex(entry('08000000') + done('08000000')), 7, wanted);
    assert.deepEqual([connections, end], [[], undefined]);
  });

  test('a refusal ends the dump with its number', () => {
    assert.deepEqual(parseConnections(hex(error('07000000', 'ffffffff')), 7, wanted).end, { errno: 1 });
  });

  test('what is cut off anywhere ends the reading without an error', () => {
    const whole = hex(entry('07000000') + done('07000000'));
    for (let length = 0; length < whole.length; length += 1) {
      const { connections, end } = parseConnections(whole.subarray(0, length), 7, wanted);
      assert.ok(connections.length <= 1 && end === undefined, `at ${length}`);
    }
  });

  test('bytes of any kind are read without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, framed) => {
        const datagram = Buffer.from(bytes);
        if (framed && datagram.length >= 20) {
          datagram.writeUInt32LE(datagram.length, 0);
          datagram.writeUInt16LE(0x100, 4);
          datagram.writeUInt32LE(7, 8);
          datagram[16] = 2;
        }
        parseConnections(datagram, 7, wanted);
        parseErrors(datagram, 7);
      }),
    );
  });
});

describe('deletion of tracked connections', { skip }, () => {
  test('each is named by the very tuple and id that the kernel told, so that none but it can go', () => {
    const { connections } = parseConnections(hex(entry('07000000')), 7, new Set([destinationKey('203.0.113.7')]));
    const wanted = `
      50000000 0201 0100 09000000 00000000 02 00 0000
      3400 0180 ${tuple}
      0800 0c00 11223344`;
    const made = deletions(9, [...connections, ...connections]);
    assert.equal(made.length % 4, 0);
    assert.equal(hexOf(made.subarray(0, made.length / 2)), hexOf(made.subarray(made.length / 2)));
    assert.match(hexOf(made), new RegExp(hexOf(hex(tuple))));
    assert.equal(made.readUInt16LE(4), 0x0102);
    assert.equal(made.readUInt16LE(6), 1, 'a plain request: no dump and no answer but to an error');
    assert.equal(hexOf(made.subarray(0, made.length / 2)), hexOf(hex(wanted)));
  });

  test('the errors of a datagram are read, and those of other requests are not', () => {
    const bytes = hex(error('09000000', 'feffffff') + error('08000000', 'ffffffff') + error('09000000', 'ffffffff'));
    assert.deepEqual(parseErrors(bytes, 9), [2, 1]);
  });
});
