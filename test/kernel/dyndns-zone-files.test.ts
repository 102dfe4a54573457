/** Zone files where something goes wrong between two steps of a write: races, kills, full disks, missing rights. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { type FileCalls, fileCalls } from '../../src/system/linux/file-calls.ts';
import { LinuxZoneFiles } from '../../src/system/linux/zone-file-io.ts';
import { inFolder } from '../in-folder.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const upper = (content: Buffer): Buffer => Buffer.from(content.toString('latin1').toUpperCase(), 'latin1');
const killed = join(dirname(fileURLToPath(import.meta.url)), 'dyndns-zone-kill-child.js');
const leftovers = (folder: string): string[] => readdirSync(folder).filter((name) => name.includes('netsteward-new'));

/** Lets `work` run with `exchange` in place of the real one, which `exchange` gets as its third argument. */
async function exchanging(
  exchange: (one: string, other: string, real: FileCalls['exchange']) => boolean,
  work: () => Promise<void>,
): Promise<void> {
  const calls = fileCalls();
  const real = calls.exchange.bind(calls);
  calls.exchange = (one, other) => exchange(one, other, real);
  try {
    await work();
  } finally {
    calls.exchange = real;
  }
}

function save(zone: string, text: string): void {
  writeFileSync(`${zone}.editor`, text);
  renameSync(`${zone}.editor`, zone);
}

/** Of tests that need no namespace, and run once. */
function outside(name: string, work: () => Promise<void>, skip: string | false = false): void {
  if (!insideNamespace) test(name, { skip }, work);
}

outside(
  'what an editor saves in the very moment of the exchange is put back and edited, not lost',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'one');
    const seen: string[] = [];
    let races = 2;
    let exchanges = 0;
    await exchanging(
      (one, other, real) => {
        exchanges += 1;
        // The second exchange of a lost race is the way back.
        if (races > 0 && exchanges % 2 === 1) {
          races -= 1;
          save(zone, `race ${races}`);
        }
        return real(one, other);
      },
      async () => {
        const { kind, mark } = await new LinuxZoneFiles(systemClock).replace(zone, (content) => {
          seen.push(content.toString());
          return upper(content);
        });
        assert.equal(kind, 'written');
        assert.equal(mark, await new LinuxZoneFiles(systemClock).look(zone));
      },
    );
    assert.deepEqual([races, exchanges], [0, 5]);
    assert.equal(readFileSync(zone, 'utf8'), 'RACE 0');
    assert.deepEqual(seen.at(-1), 'race 0');
    assert.deepEqual(readdirSync(folder).sort(), ['.data.netsteward-lock', 'data']);
  }),
);

outside(
  'what one more editor saves before the first one is put back is the newest, and stays',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'one');
    let exchanges = 0;
    await exchanging(
      (one, other, real) => {
        exchanges += 1;
        if (exchanges <= 2) save(zone, `save ${exchanges}`);
        return real(one, other);
      },
      async () => {
        await new LinuxZoneFiles(systemClock).replace(zone, upper);
      },
    );
    assert.equal(readFileSync(zone, 'utf8'), 'SAVE 2');
    assert.deepEqual(readdirSync(folder).sort(), ['.data.netsteward-lock', 'data']);
  }),
);

outside(
  'what an editor saved in the moment of the exchange is put back by the next run if this one is killed',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'one');
    const { signal, stderr } = spawnSync(process.execPath, [killed, zone, 'exchange'], { encoding: 'utf8' });
    assert.equal(signal, 'SIGKILL', stderr);
    assert.deepEqual([readFileSync(zone, 'utf8'), leftovers(folder).length], ['ONE', 1]);
    await new LinuxZoneFiles(systemClock).replace(zone, upper);
    assert.equal(readFileSync(zone, 'utf8'), 'SAVED');
    assert.deepEqual(leftovers(folder), []);
  }),
);

outside(
  'where names cannot be exchanged the file is renamed, and what was saved before that is edited',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'one');
    let runs = 0;
    await exchanging(
      () => false,
      async () => {
        await new LinuxZoneFiles(systemClock).replace(zone, (content) => {
          runs += 1;
          if (runs === 1) save(zone, 'two');
          return upper(content);
        });
      },
    );
    assert.equal(readFileSync(zone, 'utf8'), 'TWO');
    assert.deepEqual(readdirSync(folder).sort(), ['.data.netsteward-lock', 'data']);
  }),
);

outside(
  'who has the old file open sees that its time has changed, as the original needs to look again',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'a');
    const waiting = openSync(zone, 'r');
    const { mtimeMs } = statSync(zone);
    await new LinuxZoneFiles(systemClock).replace(zone, upper);
    const old = readFileSync(waiting, 'utf8');
    const { nlink, mtimeMs: later } = statSync(`/proc/self/fd/${waiting}`);
    closeSync(waiting);
    assert.deepEqual([old, nlink], ['a', 0]);
    // The original reads a file again whose time differs by more than a second.
    assert.ok(Math.abs(later - mtimeMs) > 1000);
  }),
);

outside(
  'another name of the same file (a hard link) keeps the old content, with its time',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    writeFileSync(zone, 'a');
    utimesSync(zone, 1000, 1000);
    linkSync(zone, join(folder, 'backup'));
    await new LinuxZoneFiles(systemClock).replace(zone, upper);
    assert.equal(readFileSync(zone, 'utf8'), 'A');
    assert.equal(readFileSync(join(folder, 'backup'), 'utf8'), 'a');
    assert.equal(statSync(join(folder, 'backup')).mtimeMs, 1_000_000);
  }),
);

outside(
  'a symbolic link that is turned while the edit runs: what it led to at the beginning is edited, the other file is not',
  inFolder(async (folder) => {
    const [one, other, link] = ['one', 'other', 'link'].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(one, 'one');
    writeFileSync(other, 'other');
    symlinkSync('one', link);
    await new LinuxZoneFiles(systemClock).replace(link, (content) => {
      symlinkSync('other', `${link}.new`);
      renameSync(`${link}.new`, link);
      return upper(content);
    });
    assert.equal(readFileSync(one, 'utf8'), 'ONE');
    assert.equal(readFileSync(other, 'utf8'), 'other');
  }),
);

outside(
  'a link that stands where the lock or the new file would be is not followed',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    const precious = join(folder, 'precious');
    writeFileSync(zone, 'a');
    writeFileSync(precious, 'precious');
    symlinkSync('precious', join(folder, '.data.netsteward-lock'));
    await assert.rejects(new LinuxZoneFiles(systemClock).replace(zone, upper), { code: 'zone-not-written' });
    assert.deepEqual([readFileSync(zone, 'utf8'), readFileSync(precious, 'utf8')], ['a', 'precious']);
  }),
);

outside(
  'killed before or after each of its steps, it leaves the whole old file or the whole new one, and the next run tidies up',
  inFolder(async (folder) => {
    const zone = join(folder, 'data');
    const old = `one ${'x'.repeat(100_000)}\n`;
    const outcomes = new Set<string>();
    let step = 0;
    for (;;) {
      step += 1;
      writeFileSync(zone, old);
      chmodSync(zone, 0o640);
      const { signal, stderr } = spawnSync(process.execPath, [killed, zone, String(step)], { encoding: 'utf8' });
      const text = readFileSync(zone, 'utf8');
      assert.ok(text === old || text === old.toUpperCase(), `step ${step}: neither the old file nor the new one`);
      assert.equal(statSync(zone).mode & 0o777, 0o640);
      if (signal === null) {
        assert.equal(stderr, '');
        assert.equal(text, old.toUpperCase());
        break;
      }
      assert.equal(signal, 'SIGKILL', stderr);
      outcomes.add(`${text === old ? 'old' : 'new'}, ${leftovers(folder).length} left`);
      await new LinuxZoneFiles(systemClock).replace(zone, upper);
      assert.equal(readFileSync(zone, 'utf8'), old.toUpperCase());
      if (text === old) assert.deepEqual(leftovers(folder), [], `step ${step}`);
    }
    // Before the new file, with it, after the exchange, after the old one is gone.
    assert.deepEqual([...outcomes].sort(), ['new, 0 left', 'new, 1 left', 'old, 0 left', 'old, 1 left']);
    assert.ok(step > 25, `only ${step} steps`);
  }),
);

if (!insideNamespace) {
  test('zone files on full and read-only file systems, in a namespace', async (t: TestContext) => {
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  test(
    'on a full disk the zone stays as it was, nothing is left, and the reason is told; with room again it is written',
    inFolder(async (folder) => {
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]).status, 0);
      try {
        const zone = join(folder, 'data');
        const text = 'x'.repeat(100_000);
        writeFileSync(zone, text);
        writeFileSync(join(folder, 'ballast'), Buffer.alloc(120_000));
        const files = new LinuxZoneFiles(systemClock);
        await assert.rejects(files.replace(zone, upper), /data cannot be written: ENOSPC/);
        assert.equal(readFileSync(zone, 'utf8'), text);
        assert.deepEqual(leftovers(folder), []);
        rmSync(join(folder, 'ballast'));
        await files.replace(zone, upper);
        assert.equal(readFileSync(zone, 'utf8'), text.toUpperCase());
      } finally {
        spawnSync('umount', ['-l', folder]);
      }
    }),
  );

  test(
    'on a read-only file system the zone can be read, and writing says why not',
    inFolder(async (folder) => {
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status, 0);
      try {
        const zone = join(folder, 'data');
        writeFileSync(zone, 'a');
        assert.equal(spawnSync('mount', ['-o', 'remount,ro', folder]).status, 0);
        const files = new LinuxZoneFiles(systemClock);
        assert.equal((await files.read(zone)).content.toString(), 'a');
        await assert.rejects(files.replace(zone, upper), /data cannot be written: EROFS/);
        assert.deepEqual(readdirSync(folder), ['data']);
      } finally {
        spawnSync('umount', ['-l', folder]);
      }
    }),
  );
}

outside(
  'without rights to the folder or to keep the owner, the zone stays as it was',
  inFolder(async (folder) => {
    const home = join(folder, 'root');
    mkdirSync(home);
    const zone = join(home, 'data');
    const nobody = 65_534;
    chmodSync(folder, 0o755);
    const asNobody = (): string => {
      const { stderr, status } = spawnSync(process.execPath, [killed, zone, '0'], {
        encoding: 'utf8',
        uid: nobody,
        gid: nobody,
      });
      return status === 0 ? '' : stderr;
    };
    writeFileSync(zone, 'a');
    chownSync(zone, nobody, nobody);
    assert.match(asNobody(), /data cannot be written: EACCES/);
    // The folder is its own, the file is root's: a new file would be nobody's.
    chownSync(home, nobody, nobody);
    chownSync(zone, 0, 0);
    assert.match(asNobody(), /data cannot be written: its owner \(0:0\) could not be kept/);
    assert.deepEqual([readFileSync(zone, 'utf8'), statSync(zone).uid, leftovers(home)], ['a', 0, []]);
    chownSync(zone, nobody, nobody);
    assert.equal(asNobody(), '');
    assert.deepEqual([readFileSync(zone, 'utf8'), statSync(zone).uid], ['A', nobody]);
    assert.ok(existsSync(join(home, '.data.netsteward-lock')));
  }),
  process.getuid?.() === 0 ? false : 'NOT TESTED: to be another user needs root',
);
