/** What the kernel's inotify events are read as. */
import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { type InotifyEvent, inotifyEvents } from '../../../../src/system/linux/inotify.ts';

// sys/inotify.h
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ISDIR = 0x4000_0000;

/** struct inotify_event: watch, mask, cookie, length of the name with its padding to a multiple of the struct's size. */
function event(watch: number, mask: number, name: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(name);
  const room = bytes.length === 0 ? 0 : Math.ceil((bytes.length + 1) / 16) * 16;
  const head = [watch >>> 0, mask, 0, room].map((value) => {
    const word = Buffer.alloc(4);
    if (endianness() === 'LE') word.writeUInt32LE(value);
    else word.writeUInt32BE(value);
    return word;
  });
  return Buffer.concat([...head, bytes, Buffer.alloc(room - bytes.length)]);
}

const read = (...events: Buffer[]): InotifyEvent[] => [...inotifyEvents(Buffer.concat(events))];

test('directories that are made or moved in are created, those that are removed or moved away are removed', () => {
  assert.deepEqual(
    read(
      event(1, IN_CREATE | IN_ISDIR, 'a.service'),
      event(2, IN_DELETE | IN_ISDIR, 'b'),
      event(3, IN_MOVED_FROM | IN_ISDIR, 'c'),
      event(4, IN_MOVED_TO | IN_ISDIR, 'd'),
    ),
    [
      { kind: 'created', watch: 1, name: 'a.service' },
      { kind: 'removed', watch: 2, name: 'b' },
      { kind: 'removed', watch: 3, name: 'c' },
      { kind: 'created', watch: 4, name: 'd' },
    ],
  );
});

test('files are passed over', () => {
  assert.deepEqual(read(event(1, IN_CREATE, 'file'), event(1, IN_DELETE, 'file')), []);
});

test('the end of a watch and lost events are told', () => {
  assert.deepEqual(read(event(7, IN_IGNORED), event(-1, IN_Q_OVERFLOW)), [
    { kind: 'ended', watch: 7 },
    { kind: 'overflow' },
  ]);
});

test('a name that is not UTF-8 is passed over, and what follows it is read', () => {
  const odd = Buffer.from([0x61, 0xff, 0x62]);
  assert.deepEqual(read(event(1, IN_CREATE | IN_ISDIR, odd), event(1, IN_CREATE | IN_ISDIR, 'größe')), [
    { kind: 'created', watch: 1, name: 'größe' },
  ]);
});

test('names of every length come out as they went in', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }).filter((text) => {
    return !/[\0/]/.test(text) && Buffer.from(text).toString() === text;
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), name)), (all) => {
      const found = read(...all.map(([watch, text]) => event(watch, IN_CREATE | IN_ISDIR, text)));
      assert.deepEqual(
        found,
        all.map(([watch, text]) => ({ kind: 'created', watch, name: text })),
      );
    }),
  );
});

test('no bytes make it throw or go on for ever', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void read(Buffer.from(bytes))));
});
