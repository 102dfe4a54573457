/** Failures of files in words: every one that a path can bring about, made with the real file system. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NetstewardError } from '../../../src/core/errors.ts';
import { describeFileFailure, fileFailure } from '../../../src/core/file-failure.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-failure-'));
after(() => rmSync(folder, { recursive: true }));

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('it did not fail');
}

test('what the file system refuses is told in words, with a remedy and without the path again', () => {
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('loop', join(folder, 'loop'));
  const told = ['folder', 'file/x', 'loop', 'none', 'x'.repeat(300)].map((name) =>
    describeFileFailure(failureOf(() => readFileSync(join(folder, name)))),
  );
  assert.deepEqual(told, [
    'EISDIR, it is a folder, not a file: name a file',
    'ENOTDIR, a part of its path is a file, not a folder: mend the path',
    'ELOOP, its symbolic links lead in a circle: name the file itself, or mend the links',
    'ENOENT, there is no such file or folder: make it, or mend the path',
    'ENAMETOOLONG, its name is too long: name it shorter',
  ]);
  const full = failureOf(() => writeFileSync('/dev/full', 'x'));
  assert.equal(describeFileFailure(full), 'ENOSPC, the disk is full: free space');
});

test('what is no regular file is told without a code, and another error by its own message', () => {
  const device = new NetstewardError('file-not-regular', '/dev/null is not a regular file');
  assert.equal(describeFileFailure(device), 'it is a folder, a FIFO or a device, not a file: name a file');
  assert.equal(fileFailure(new Error('odd')), undefined);
  assert.equal(describeFileFailure(new Error('odd')), 'odd');
  assert.equal(describeFileFailure('odd'), 'odd');
});
