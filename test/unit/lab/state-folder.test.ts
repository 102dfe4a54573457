/** The folder of a lab: whose it may be, who gets it, and what is removed. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, processId } from '../../../src/lab/process-id.ts';
import { defaultStateDir, StateFolder } from '../../../src/lab/state-folder.ts';

function inScratch(action: (scratch: string) => void): void {
  const scratch = mkdtempSync(join(tmpdir(), 'lab-folder-'));
  try {
    action(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const self = processId(process.pid);
assert.ok(self !== undefined);

test('a folder is made for its owner alone, and goes with the lab if nothing else is in it', () => {
  inScratch((scratch) => {
    const folder = StateFolder.create(join(scratch, 'a', 'lab'));
    assert.equal(statSync(folder.path).mode & 0o777, 0o700);
    writeFileSync(folder.authority, '');
    folder.sweep();
    assert.ok(!existsSync(folder.path));
  });
});

test('what others put into the folder stays', () => {
  inScratch((scratch) => {
    const folder = StateFolder.create(join(scratch, 'lab'));
    writeFileSync(join(folder.path, 'nbrpc.db'), 'x');
    writeFileSync(folder.log, 'x');
    folder.sweep();
    assert.ok(existsSync(join(folder.path, 'nbrpc.db')));
    assert.ok(!existsSync(folder.log));
  });
});

test('a folder that others can write to, a file, a link and a path too long for a socket are refused', () => {
  inScratch((scratch) => {
    const open = join(scratch, 'open');
    mkdirSync(open);
    chmodSync(open, 0o770);
    writeFileSync(join(scratch, 'file'), '');
    symlinkSync(scratch, join(scratch, 'link'));
    for (const path of [open, join(scratch, 'file'), join(scratch, 'link')]) {
      assert.throws(() => StateFolder.open(path), { code: 'lab-state-folder' }, path);
    }
    assert.throws(() => StateFolder.create(join(scratch, 'x'.repeat(100))), { code: 'lab-state-folder' });
    assert.throws(() => StateFolder.open(join(scratch, 'absent')), { code: 'lab-not-running' });
  });
});

test('only one lab gets the folder, until it is swept', () => {
  inScratch((scratch) => {
    const folder = StateFolder.create(join(scratch, 'lab'));
    assert.ok(folder.claim({ starter: self }));
    assert.ok(!folder.claim({ starter: self }));
    assert.ok(folder.inUse());
    folder.update({ starter: self, init: { ...self, start: 'another time' }, userNamespace: true });
    assert.ok(!folder.inUse(), 'a process id that was given to another process');
    folder.sweep();
    assert.ok(StateFolder.create(join(scratch, 'lab')).claim({ starter: self }));
  });
});

test('a process is itself only with its start time', () => {
  assert.ok(isAlive(self));
  assert.ok(!isAlive({ ...self, start: `${self.start}0` }));
  assert.equal(processId(2 ** 22 + 1), undefined);
});

test('the default folder is in the runtime folder of the user, else in /tmp', () => {
  assert.equal(defaultStateDir({ XDG_RUNTIME_DIR: tmpdir() }), join(tmpdir(), 'netsteward-lab'));
  for (const environment of [
    {},
    { XDG_RUNTIME_DIR: '' },
    { XDG_RUNTIME_DIR: 'run' },
    { XDG_RUNTIME_DIR: '/nonexistent' },
  ]) {
    assert.equal(defaultStateDir(environment), `/tmp/netsteward-lab-${process.getuid?.()}`);
  }
});
