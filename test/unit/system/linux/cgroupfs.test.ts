/** Where the cgroup2 file system is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroup2Mounts } from '../../../../src/system/linux/cgroupfs.ts';

const mount = (point: string, type: string): string => `31 23 0:28 / ${point} rw,relatime shared:9 - ${type} none rw\n`;

test('the unified hierarchy is at /sys/fs/cgroup', () => {
  const table = mount('/sys', 'sysfs') + mount('/sys/fs/cgroup', 'cgroup2') + mount('/run', 'tmpfs');
  assert.deepEqual(cgroup2Mounts(table), ['/sys/fs/cgroup']);
});

test('beside the old hierarchies it is one folder below', () => {
  const table =
    mount('/sys/fs/cgroup', 'tmpfs') +
    mount('/sys/fs/cgroup/cpu', 'cgroup') +
    mount('/sys/fs/cgroup/unified', 'cgroup2');
  assert.deepEqual(cgroup2Mounts(table), ['/sys/fs/cgroup/unified']);
});

test('the usual place comes before any other, wherever the table has it', () => {
  const table = mount('/mnt/a', 'cgroup2') + mount('/sys/fs/cgroup', 'cgroup2') + mount('/mnt/b', 'cgroup2');
  assert.deepEqual(cgroup2Mounts(table), ['/sys/fs/cgroup', '/mnt/a', '/mnt/b']);
});

test('a mount that lies over another hides it', () => {
  const table = mount('/sys/fs/cgroup', 'cgroup2') + mount('/sys/fs/cgroup', 'tmpfs');
  assert.deepEqual(cgroup2Mounts(table), []);
});

test('there is none where only the old hierarchies are mounted, and none in an empty table', () => {
  assert.deepEqual(cgroup2Mounts(mount('/sys/fs/cgroup/memory', 'cgroup')), []);
  assert.deepEqual(cgroup2Mounts(''), []);
});

test('a blank in the path of a mount is read back', () => {
  assert.deepEqual(cgroup2Mounts(mount('/mnt/a\\040b\\134c', 'cgroup2')), ['/mnt/a b\\c']);
});

test('optional fields before the separator may be missing or many', () => {
  assert.deepEqual(cgroup2Mounts('31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'), ['/sys/fs/cgroup']);
  const many = '31 23 0:28 / /sys/fs/cgroup rw shared:1 master:2 propagate_from:3 - cgroup2 cgroup2 rw\n';
  assert.deepEqual(cgroup2Mounts(many), ['/sys/fs/cgroup']);
});
