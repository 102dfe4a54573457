/** Check-list files as they are found: new versions, and what is wrong with those that are not taken. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeRejection, type RejectedList, readLists } from '../../../src/nbrpc/lists.ts';
import type { ListRecord } from '../../../src/nbrpc/state.ts';
import { LinuxFiles } from '../../../src/system/linux/files.ts';
import type { Files } from '../../../src/system/ports.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';

async function rejection(files: Files, path: string, inForce?: Partial<ListRecord>): Promise<RejectedList> {
  const before = { path, position: 0, mtime: 1, entries: new Map(), ...inForce };
  const [reading] = await readLists(files, [path], new Map(inForce === undefined ? [] : [[path, before]]));
  assert.ok(reading?.kind === 'rejected', JSON.stringify(reading));
  return reading;
}

describe('a list that is not taken', () => {
  const files = new FakeFiles();

  it('is told without its path, which the sentence around has', async () => {
    files.put('/a.list', 'good\n b>nosuch # x\nc=x');
    assert.deepEqual(describeRejection(await rejection(files, '/a.list', {})), {
      problems:
        '2:2: b>nosuch: unknown policy "nosuch": one of af-any, af-all, af-pick, pick, noroute; ' +
        '3:1: c=x: unknown result "x": codes such as 200/503, or na',
      inForce: 'its previous version stays in force',
    });
  });

  it('is told with a handful of its mistakes, and how many more there are', async () => {
    for (const [mistakes, more] of [
      [5, ''],
      [6, '; and 1 more'],
      [60, '; and 55 more'],
      [100_000, '; and at least 995 more'],
    ] as const) {
      files.put('/a.list', 'a=x\n'.repeat(mistakes));
      const { problems } = describeRejection(await rejection(files, '/a.list'));
      const told = [1, 2, 3, 4, 5].map((line) => `${line}:1: a=x: unknown result "x": codes such as 200/503, or na`);
      assert.equal(problems, told.join('; ') + more);
    }
  });

  it('says that nothing is in force where no version was taken before', async () => {
    files.put('/a.list', 'a=x');
    for (const before of [undefined, { mtime: null }]) {
      const { inForce } = describeRejection(await rejection(files, '/a.list', before));
      assert.equal(inForce, 'there is no previous version, so nothing is known of its hosts');
    }
  });

  it('since it cannot be read says why in words, and what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netsteward-lists-'));
    try {
      mkdirSync(join(folder, 'folder'));
      symlinkSync('loop', join(folder, 'loop'));
      const told = async (name: string) =>
        describeRejection(await rejection(new LinuxFiles(), join(folder, name))).problems;
      const links = 'its symbolic links lead in a circle: name the file itself, or mend the links';
      assert.equal(await told('loop'), `cannot be read: ELOOP, ${links}`);
      assert.equal(await told('x'.repeat(300)), 'cannot be read: ENAMETOOLONG, its name is too long: name it shorter');
      assert.match(
        await told('folder'),
        /^cannot be read: it is a folder, a FIFO or a device, not a file: name a file$/,
      );
      writeFileSync(join(folder, 'large'), Buffer.alloc(17 * 1024 * 1024));
      assert.equal(await told('large'), 'larger than 16777216 bytes');
    } finally {
      rmSync(folder, { recursive: true });
    }
    files.put('/a.list', 'a');
    files.fail('/a.list', 'EACCES');
    assert.equal(
      describeRejection(await rejection(files, '/a.list')).problems,
      'cannot be read: EACCES, permission denied: give this user the right to the file and to its folders',
    );
  });
});
