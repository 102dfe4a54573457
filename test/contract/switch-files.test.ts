/** Files with a way back: one suite on files in memory and on the file system. */
import assert from 'node:assert/strict';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { SwitchFiles } from '../../src/system/dns-watch-ports.ts';
import { LinuxOutputFiles } from '../../src/system/linux/atomic-file.ts';
import { LinuxSwitchFiles } from '../../src/system/linux/switch-files.ts';
import { FakeSwitchFiles } from '../fakes/fake-switch-files.ts';

const folder = await mkdtemp(join(tmpdir(), 'netsteward-switch-'));
after(() => rm(folder, { recursive: true }));

interface Machine {
  readonly switches: SwitchFiles;
  readonly read: (path: string) => Promise<string | undefined>;
  readonly write: (path: string, text: string) => Promise<void>;
}

function inMemory(): Machine {
  const switches = new FakeSwitchFiles();
  return {
    switches,
    read: async (path) => switches.files.get(path),
    write: async (path, text) => void switches.files.set(path, text),
  };
}

const onDisk = (): Machine => ({
  switches: new LinuxSwitchFiles(new LinuxOutputFiles()),
  read: (path) => readFile(path, 'utf8'),
  write: (path, text) => writeFile(path, text),
});

const first = 'nameserver 127.0.0.1\n';
const other = 'nameserver 192.0.2.53\n';

for (const [name, make] of [
  ['in memory', inMemory],
  ['on the file system', onDisk],
] as const) {
  describe(`switched files ${name}`, () => {
    const { switches, read, write } = make();
    const path = join(folder, 'resolv.conf');

    it('are switched, and put back', async () => {
      await write(path, first);
      assert.equal(await switches.state(path), 'original');
      await switches.switchTo(path, other);
      assert.equal(await read(path), other);
      assert.equal(await switches.state(path), 'switched');
      assert.equal(await switches.putBack(path), 'original');
      assert.equal(await read(path), first);
      assert.equal(await switches.state(path), 'original');
    });

    it('keep their true original when they are switched twice', async () => {
      await switches.switchTo(path, other);
      await switches.switchTo(path, 'third\n');
      assert.equal(await switches.putBack(path), 'original');
      assert.equal(await read(path), first);
    });

    it('stay as others have written them since', async () => {
      await switches.switchTo(path, other);
      await write(path, 'theirs\n');
      assert.equal(await switches.state(path), 'changed');
      assert.equal(await switches.putBack(path), 'changed');
      assert.equal(await read(path), 'theirs\n');
      assert.equal(await switches.state(path), 'original');
    });

    it('that others have written since have a new original when they are switched again', async () => {
      await switches.switchTo(path, other);
      await write(path, 'theirs, too\n');
      await switches.switchTo(path, other);
      assert.equal(await switches.putBack(path), 'original');
      assert.equal(await read(path), 'theirs, too\n');
    });

    it('that are not there are refused', async () => {
      await assert.rejects(switches.switchTo(join(folder, 'none'), other), { code: 'fallback-file-unusable' });
    });
  });
}

describe('switched files on the file system', () => {
  const { switches } = onDisk();

  it('may be symbolic links, which they are again afterwards; what they lead to is not touched', async () => {
    const [target, link] = [join(folder, 'stub.conf'), join(folder, 'linked.conf')];
    await writeFile(target, first);
    await symlink('stub.conf', link);
    await switches.switchTo(link, other);
    assert.equal((await lstat(link)).isSymbolicLink(), false);
    assert.deepEqual([await readFile(link, 'utf8'), await readFile(target, 'utf8')], [other, first]);
    await switches.putBack(link);
    assert.equal(await readlink(link), 'stub.conf');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.includes('netsteward')),
      [],
    );
  });

  it('are known as switched to a process that starts later', async () => {
    const path = join(folder, 'later.conf');
    await writeFile(path, first);
    await switches.switchTo(path, other);
    const later = onDisk().switches;
    assert.equal(await later.state(path), 'switched');
    await later.putBack(path);
    assert.equal(await readFile(path, 'utf8'), first);
  });
});
