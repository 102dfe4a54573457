/** The files port: one suite on files in memory and on the file system. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LinuxFiles } from '../../src/system/linux/files.ts';
import type { Files } from '../../src/system/ports.ts';
import { FakeFiles } from '../fakes/fake-files.ts';

interface Bench {
  readonly files: Files;
  readonly folder: string;
  put(path: string, content: string, mtimeMs: number): Promise<void>;
}

const folder = await mkdtemp(join(tmpdir(), 'netsteward-files-'));
after(() => rm(folder, { recursive: true }));
const fake = new FakeFiles();
const benches: Record<string, Bench> = {
  'in memory': {
    files: fake,
    folder: '/files',
    put: (path, content, mtimeMs) => Promise.resolve(fake.put(path, content, mtimeMs)),
  },
  'on the file system': {
    files: new LinuxFiles(),
    folder,
    async put(path, content, mtimeMs) {
      await writeFile(path, content);
      await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
    },
  },
};

for (const [name, bench] of Object.entries(benches)) {
  describe(`files ${name}`, () => {
    const path = join(bench.folder, 'a.list');

    it('has no stat of a file that does not exist, and cannot read it', async () => {
      assert.equal(await bench.files.stat(join(bench.folder, 'none')), undefined);
      await assert.rejects(bench.files.read(join(bench.folder, 'none')), { code: 'ENOENT' });
    });

    it('tells the time with fractions of a second, the size and the content', async () => {
      await bench.put(path, 'héllo', 1_700_000_000_250);
      const stat = await bench.files.stat(path);
      assert.ok(stat !== undefined && Math.abs(stat.mtimeMs - 1_700_000_000_250) < 1);
      assert.equal(stat.size, 6);
      assert.equal((await bench.files.read(path)).toString(), 'héllo');
    });

    it('says that a file, and a new file in a folder, can be written', async () => {
      assert.equal(await bench.files.writable(path), true);
      assert.equal(await bench.files.writable(join(bench.folder, 'new')), true);
    });
  });
}

describe('files on the file system', () => {
  it('takes a path below a file for one that does not exist', async () => {
    await writeFile(join(folder, 'plain'), '');
    assert.equal(await new LinuxFiles().stat(join(folder, 'plain', 'x')), undefined);
  });

  it('says that nothing can be written into a folder that does not exist, or that is no disk', async () => {
    assert.equal(await new LinuxFiles().writable(join(folder, 'no', 'file')), false);
    assert.equal(await new LinuxFiles().writable('/proc/self/netsteward-test/x'), false);
  });
});
