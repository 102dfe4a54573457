/** The output files port: one suite on files in memory and on the file system. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LinuxOutputFiles } from '../../src/system/linux/atomic-file.ts';
import { FakeOutputFiles } from '../fakes/fake-output-files.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-output-'));
after(() => rm(folder, { recursive: true }));

for (const [name, files] of [
  ['in memory', new FakeOutputFiles()],
  ['on the file system', new LinuxOutputFiles()],
] as const) {
  describe(`output files ${name}`, () => {
    const path = join(folder, 'a.log');

    it('grow by appending, which tells their size in bytes', async () => {
      assert.equal(await files.read(path), undefined);
      assert.equal(await files.append(path, 'häuser\n'), 8);
      assert.equal(await files.append(path, 'x\n'), 10);
      assert.equal(await files.read(path), 'häuser\nx\n');
    });

    it('are renamed over others, and are not where they were', async () => {
      await files.append(`${path}.1`, 'old');
      await files.rename(path, `${path}.1`);
      assert.equal(await files.read(path), undefined);
      assert.equal(await files.read(`${path}.1`), 'häuser\nx\n');
      await assert.rejects(files.rename(path, `${path}.1`), { code: 'ENOENT' });
    });

    it('are replaced whole, whether they are there or not', async () => {
      for (const content of ['first\n', 'second, longer\n', '']) {
        await files.replace(join(folder, 'zone'), content);
        assert.equal(await files.read(join(folder, 'zone')), content);
      }
    });
  });
}

describe('output files on the file system', () => {
  const files = new LinuxOutputFiles();
  const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

  it('keep their mode when they are replaced, and leave nothing beside them', async () => {
    const inside = join(folder, 'mode');
    await mkdir(inside);
    const path = join(inside, 'zone');
    await files.replace(path, 'a');
    assert.equal(await mode(path), 0o644);
    await chmod(path, 0o604);
    await files.replace(path, 'b');
    assert.deepEqual([await mode(path), await readdir(inside)], [0o604, ['zone']]);
    await files.append(join(inside, 'log'), 'x');
    assert.equal((await mode(join(inside, 'log'))) & 0o007, 0);
  });

  it('stay as they are when the new content cannot be put in their place', async () => {
    const path = join(folder, 'taken');
    await mkdir(join(path, 'sub'), { recursive: true });
    await assert.rejects(files.replace(path, 'x'), { code: /EISDIR|ENOTEMPTY|EEXIST/ });
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('.')),
      [],
    );
    await assert.rejects(files.replace(join(folder, 'none', 'zone'), 'x'), { code: 'ENOENT' });
    await assert.rejects(files.append(join(folder, 'none', 'log'), 'x'), { code: 'ENOENT' });
  });

  it('are refused where there is no file but a pipe, which nobody may ever write to', async () => {
    const pipe = join(folder, 'pipe');
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    await assert.rejects(files.read(pipe), { code: 'file-not-regular' });
  });

  it('replace a symbolic link itself, not what it points to', async () => {
    await writeFile(join(folder, 'target'), 'precious');
    await symlink(join(folder, 'target'), join(folder, 'link'));
    await files.replace(join(folder, 'link'), 'new');
    assert.deepEqual(
      [await files.read(join(folder, 'target')), await files.read(join(folder, 'link'))],
      ['precious', 'new'],
    );
  });
});
