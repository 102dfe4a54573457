/** What `netsteward check --host` says of cgroup-nft, finding by finding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import type { CgroupNftPreflightHost } from '../../../src/cgroup-nft/ports.ts';
import { preflight } from '../../../src/cgroup-nft/preflight.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';
import { FakeFiles } from '../../fakes/fake-files.ts';

const files = new FakeFiles();
files.put('/good', '# a.service :: inet f c socket cgroupv2 level 2 "system.slice/a.service" accept\n');
files.put('/doubtful', '# a.service :: inet f c socket cgroupv2 level 3 "system.slice/a.service" accept\n');
files.put('/bad', '# a.service :: inet f\n');
files.put('/empty', 'table inet f { }\n');

async function findings(
  table: Readonly<Record<string, unknown>>,
  changes: Partial<CgroupNftPreflightHost> = {},
): Promise<readonly string[]> {
  const parsed = parseCgroupNft(table);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const host: CgroupNftPreflightHost = {
    files,
    tree: new FakeCgroupTree(),
    socketCgroup: () => Promise.resolve(true),
    niceProblem: () => undefined,
    realtimeProblem: async () => undefined,
    journalProblem: () => Promise.resolve(undefined),
    ...changes,
  };
  const found = await preflight(parsed.config, host);
  return found.map(({ severity, text }) => `${severity} ${text}`);
}

test('a machine that has everything gets one line for each thing', async () => {
  assert.deepEqual(await findings({ files: ['/good'] }), [
    'ok cgroup2 is mounted at /sys/fs/cgroup',
    'ok the kernel knows "socket cgroupv2"',
    'ok a real-time priority may be had here',
    'ok the journal can be read',
    'ok /good: 1 rule of units',
  ]);
});

test('without cgroup2, or without the match, nothing can work', async () => {
  const found = await findings({ files: ['/good'] }, { tree: undefined, socketCgroup: () => Promise.resolve(false) });
  assert.deepEqual(found.slice(0, 2), [
    'error no cgroup2 file system is mounted: there are no cgroups that rules could match',
    'error this kernel or nft does not know "socket cgroupv2"',
  ]);
});

test('where the match cannot be tried nothing is said of it', async () => {
  const found = await findings({ files: ['/good'] }, { socketCgroup: () => Promise.resolve(undefined) });
  assert.ok(!found.some((line) => line.includes('socket cgroupv2')));
});

test('a priority that is refused, and a journal that cannot be read, are warnings', async () => {
  const changes = {
    niceProblem: (nice: number) => (nice < 0 ? 'permission denied' : undefined),
    realtimeProblem: async () => 'not permitted',
    journalProblem: () => Promise.resolve('journalctl is not installed'),
  };
  const found = await findings({ files: ['/good'] }, changes);
  assert.deepEqual(found.slice(2, 4), [
    'warning a real-time priority may not be had: not permitted; nor may nice = -20 (permission denied): on a machine that is out of CPU time rules may come late',
    'warning the journal cannot be read: journalctl is not installed',
  ]);
  assert.ok(
    (await findings({ files: ['/good'], nice: 5 }, changes)).includes(
      'warning a real-time priority may not be had: not permitted; it will be nice = 5, which waits some milliseconds on a busy machine',
    ),
  );
  const niceAlone = async (nice: number) => (await findings({ files: ['/good'], nice, realtime: false }, changes))[2];
  assert.equal(await niceAlone(5), 'ok priority nice = 5 may be had here');
  assert.match(
    (await niceAlone(-20)) ?? '',
    /^warning priority nice = -20 may not be had: permission denied; on a machine/,
  );
});

test('groups alone do not need the journal; what is doubtful in their units is told', async () => {
  const group = [{ name: 'g', units: ['postfix', 'a.service', 'x.timer'], mark: 1 }];
  assert.deepEqual((await findings({ group }, { journalProblem: () => assert.fail('it was asked') })).slice(3), [
    'warning group g: "postfix" has no ending: the unit is "postfix.service", say',
    'warning group g: "x.timer" never exists: a timer unit such as "x.timer" has no cgroup',
  ]);
});

test('files that cannot be read or are wrong are errors; doubtful rules, and none, are warnings', async () => {
  const found = await findings({ files: ['/doubtful', '/bad', '/empty', '/none'] });
  assert.equal(found[4], 'warning /doubtful: 1 rule of units, 1 of what they say may not be what was meant');
  assert.match(found[5] ?? '', /^error \/bad:1:/);
  assert.equal(found[6], 'warning /empty has no rules of units');
  assert.match(found[7] ?? '', /^error \/none cannot be read/);
});
