/** What zone files promise, on the real file system: nobody sees a part, owners keep what is theirs, no writer loses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { fileCalls } from '../../src/system/linux/file-calls.ts';
import { LinuxZoneFiles } from '../../src/system/linux/zone-file-io.ts';
import { inFolder } from '../in-folder.ts';

const upper = (content: Buffer): Buffer => Buffer.from(content.toString('latin1').toUpperCase(), 'latin1');

const files = new LinuxZoneFiles(systemClock);

test(
  'a replaced file has the new content, the old mode and owner, and nothing is left beside it but the lock',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, '+a.net:127.0.0.1\n');
    chmodSync(zone, 0o2640);
    if (process.getuid?.() === 0) chownSync(zone, 1234, 4321);
    chmodSync(zone, 0o2640);
    const before = statSync(zone);
    const outcome = await files.replace(zone, upper);
    assert.equal(outcome.kind, 'written');
    assert.equal(outcome.mark, await files.look(zone));
    const after = statSync(zone);
    assert.equal(readFileSync(zone, 'utf8'), '+A.NET:127.0.0.1\n');
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
    assert.deepEqual(readdirSync(folder).sort(), ['.data.netsteward-lock', 'data']);
  }),
);

test(
  'extended attributes and access lists are kept',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'x');
    const calls = fileCalls();
    const fd = openSync(zone, 'r+');
    calls.setAttribute(fd, 'user.note', Buffer.from('kept'));
    // Version 2, then entries of tag, permissions and id (linux/posix_acl_xattr.h): a reader of the name 1234.
    const entries = [
      [0x01, 6, 0xffffffff],
      [0x02, 4, 1234],
      [0x04, 4, 0xffffffff],
      [0x10, 4, 0xffffffff],
      [0x20, 0, 0xffffffff],
    ];
    const list = Buffer.alloc(4 + entries.length * 8);
    list.writeUInt32LE(2, 0);
    entries.forEach(([tag = 0, may = 0, id = 0], index) => {
      list.writeUInt16LE(tag, 4 + index * 8);
      list.writeUInt16LE(may, 6 + index * 8);
      list.writeUInt32LE(id, 8 + index * 8);
    });
    calls.setAttribute(fd, 'system.posix_acl_access', list);
    const before = calls.attributes(fd);
    closeSync(fd);
    assert.equal(before.get('user.note')?.toString(), 'kept');
    await files.replace(zone, upper);
    const again = openSync(zone, 'r');
    assert.deepEqual(calls.attributes(again), before);
    closeSync(again);
  }),
);

test(
  'a symbolic link stays one, and its target is replaced in the folder of the target',
  inFolder(async (folder) => {
    mkdirSync(join(folder, 'real'));
    const target = join(folder, 'real', 'zone');
    writeFileSync(target, 'a', { mode: 0o600 });
    const link = join(folder, 'link');
    symlinkSync('real/zone', link);
    await files.replace(link, upper);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(readFileSync(target, 'utf8'), 'A');
    assert.equal(statSync(target).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder).sort(), ['link', 'real']);
  }),
);

test(
  'an edit that changes nothing leaves the very same file',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'A');
    const before = statSync(zone);
    assert.deepEqual(await files.replace(zone, upper), { kind: 'same', mark: await files.look(zone) });
    assert.equal((await files.replace(zone, () => undefined)).kind, 'same');
    assert.equal(statSync(zone).ino, before.ino);
  }),
);

test(
  'what an editor renames into place while the edit runs is edited instead, and not lost',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'one');
    let runs = 0;
    await files.replace(zone, (content) => {
      runs += 1;
      if (runs === 1) {
        writeFileSync(join(folder, 'new'), 'two');
        renameSync(join(folder, 'new'), zone);
      }
      return upper(content);
    });
    assert.equal(runs, 2);
    assert.equal(readFileSync(zone, 'utf8'), 'TWO');
  }),
);

test(
  'a file that somebody has open for writing is left alone until it is closed',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'half');
    const writer = openSync(zone, 'r+');
    let edited = 0;
    const done = files.replace(zone, (content) => {
      edited += 1;
      return upper(content);
    });
    for (let turn = 0; turn < 5; turn += 1) await files.read(zone);
    assert.equal(edited, 0);
    writeFileSync(writer, 'whole');
    closeSync(writer);
    await done;
    assert.equal(readFileSync(zone, 'utf8'), 'WHOLE');
  }),
);

test(
  'a file that is read while somebody has it open for writing is told to be half saved',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'half');
    const writer = openSync(zone, 'r+');
    const half = await files.read(zone);
    assert.deepEqual([half.content.toString(), half.halfSaved], ['half', true]);
    closeSync(writer);
    assert.equal((await files.read(zone)).halfSaved, undefined);
  }),
);

test(
  'pieces of the content and new ones are written one after the other, and readers find them only when the caller is ready',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    const large = 'x'.repeat(3_000_000);
    writeFileSync(zone, `one ${large}`);
    let ready = (): void => {};
    const steps: string[] = [];
    const done = files.replace(
      zone,
      (content) => [Buffer.from('two'), content.subarray(3), Buffer.alloc(0), Buffer.from('!')],
      {
        ready: new Promise((resolve) => {
          ready = resolve;
        }),
        seen: () => steps.push(readFileSync(zone, 'latin1')),
      },
    );
    for (let turn = 0; turn < 20; turn += 1) await files.read(zone);
    assert.equal(readFileSync(zone, 'latin1').slice(0, 4), 'one ');
    ready();
    await done;
    assert.deepEqual(steps, [`two ${large}!`]);
    const many = await files.replace(zone, (content) =>
      Array.from(content.subarray(0, 3000), (_, at) => content.subarray(at, at + 1)),
    );
    assert.equal(many.kind, 'written');
    assert.equal(readFileSync(zone, 'latin1'), `two ${large}`.slice(0, 3000));
  }),
);

test(
  'memory that was given back is used again, and a content that was not stays as it was',
  inFolder(async (folder) => {
    const [one, other] = [join(folder, 'one'), join(folder, 'other')];
    writeFileSync(one, 'a'.repeat(2_000_000));
    writeFileSync(other, 'b'.repeat(1_999_000));
    const own = new LinuxZoneFiles(systemClock);
    const first = await own.read(one);
    const second = await own.read(other);
    assert.equal(first.content[0], 0x61);
    first.free?.();
    first.free?.();
    const third = await own.read(other);
    const fourth = await own.read(other);
    assert.equal(third.content.buffer, first.content.buffer);
    assert.notEqual(fourth.content.buffer, third.content.buffer);
    assert.ok(second.content.equals(third.content));
  }),
);

test(
  'an exclusive lockf lock of another program, as the original takes it, is waited for',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'a');
    // The descriptor is for reading and writing, so the lease alone would do; the lock is looked at by itself here.
    const calls = fileCalls();
    const other = openSync(zone, 'r+');
    assert.ok(calls.lock(other, 'exclusive'));
    const mine = openSync(zone, 'r');
    assert.equal(calls.lock(mine, 'shared'), false);
    closeSync(other);
    assert.ok(calls.lock(mine, 'shared'));
    closeSync(mine);
  }),
);

test(
  'what a killed process has left beside the zone is removed, and nothing of others',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'a');
    writeFileSync(join(folder, '.data.netsteward-new.0123456789ab'), 'half');
    writeFileSync(join(folder, '.data.netsteward-new.notes'), 'mine');
    await new LinuxZoneFiles(systemClock).replace(zone, upper);
    assert.deepEqual(readdirSync(folder).sort(), ['.data.netsteward-lock', '.data.netsteward-new.notes', 'data']);
  }),
);

test(
  'a mark tells changes of the same size within a second apart',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'a');
    utimesSync(zone, 1, 1);
    const before = await files.look(zone);
    writeFileSync(zone, 'b');
    utimesSync(zone, 1.001, 1.001);
    assert.notEqual(await files.look(zone), before);
    assert.equal(await files.look(join(folder, 'none')), undefined);
  }),
);

test(
  'what is no file is refused by name, and no FIFO is waited for',
  inFolder(async (folder) => {
    await assert.rejects(files.read(join(folder, 'none')), /none cannot be read: ENOENT/);
    await assert.rejects(files.replace(folder, upper), /cannot be written/);
    const fifo = join(folder, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    await assert.rejects(files.read(fifo), /a folder, a FIFO or a device/);
  }),
);

test(
  'writers at once: each increment is in the file at the end, and no reader sees a part of it',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    const filler = '#'.repeat(50_000);
    writeFileSync(zone, `count=0\n${filler}\n`);
    const plusOne = (content: Buffer): Buffer =>
      Buffer.from(content.toString().replace(/count=(\d+)/, (_, count) => `count=${Number(count) + 1}`));
    const add = async (writer: LinuxZoneFiles): Promise<void> => {
      for (let turn = 0; turn < 25; turn += 1) await writer.replace(zone, plusOne);
    };
    const look = async (): Promise<void> => {
      for (let turn = 0; turn < 50; turn += 1) {
        const text = (await files.read(zone)).content.toString();
        assert.ok(/^count=\d+\n#/.test(text) && text.endsWith(`${filler}\n`));
      }
    };
    await Promise.all([add(files), add(new LinuxZoneFiles(systemClock)), look()]);
    assert.match(readFileSync(zone, 'utf8'), /^count=50\n/);
  }),
);
