/** The files that `netsteward cgroup-nft drop-in` prints, and what it refuses to print. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DropInFlags, dropIn, setReference, unitWord } from '../../../src/cli/cgroup-nft-drop-in.ts';

const print = (unit: string, mode: string, flags: Partial<DropInFlags> = {}): string =>
  dropIn(unit, { mode, timeout: '5s', ...flags }, 'netsteward');

/** Without comments. */
const settings = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const refused = (unit: string, mode: string, flags: Partial<DropInFlags> = {}): string => {
  try {
    print(unit, mode, flags);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'usage');
    return (error as Error).message;
  }
  return assert.fail('it was printed');
};

test('gate: the unit waits for netsteward, and then for its rules', () => {
  assert.deepEqual(settings(print('postfix.service', 'gate', { timeout: '20s' })), [
    '[Unit]',
    'Wants=netsteward.service',
    'After=netsteward.service',
    '[Service]',
    'ExecStartPre=+netsteward cgroup-nft wait --timeout 20s %n',
  ]);
  assert.match(print('postfix.service', 'gate'), /^# \/etc\/systemd\/system\/postfix\.service\.d\/netsteward\.conf, /);
});

test('a drop-in may be for a template and all of its instances', () => {
  assert.match(print('foo@.service', 'gate'), /^# \/etc\/systemd\/system\/foo@\.service\.d\//);
});

test('slice: a slice of its own, with the path and level that rules have to name', () => {
  const text = print('web@x.service', 'slice');
  assert.deepEqual(settings(text), ['[Service]', 'Slice=netsteward_web_x.slice']);
  assert.match(text, /socket cgroupv2 level 1 "netsteward_web_x\.slice"/);
  const nested = print('web.service', 'slice', { slice: 'fw-web.slice' });
  assert.deepEqual(settings(nested), ['[Service]', 'Slice=fw-web.slice']);
  assert.match(nested, /level 2 "fw\.slice\/fw-web\.slice"/);
  assert.match(nested, /\(in fw\.slice, as its name says\)/);
  assert.deepEqual(settings(print('x.scope', 'slice')), ['[Scope]', 'Slice=netsteward_x.slice']);
});

test('nftset: systemd fills the set, and each start of a service tests that it did', () => {
  assert.deepEqual(settings(print('m.service', 'nftset', { set: 'inet:filter:mail' })), [
    '[Service]',
    'NFTSet=cgroup:inet:filter:mail',
    'ExecStartPre=+netsteward cgroup-nft wait --set inet:filter:mail --timeout 5s %n',
  ]);
  assert.deepEqual(settings(print('m.socket', 'nftset', { set: 'inet:filter:mail' })), [
    '[Socket]',
    'NFTSet=cgroup:inet:filter:mail',
  ]);
});

test('what cannot be, or would be something else than asked, is refused', () => {
  assert.match(refused('postfix', 'gate'), /"postfix" is not the name of a unit/);
  assert.match(refused('a b.service', 'gate'), /is not the name of a unit/);
  assert.match(refused('a\n[Service].service', 'gate'), /is not the name of a unit/);
  assert.match(refused('a.scope', 'gate'), /only a service has an ExecStartPre/);
  assert.match(refused('a.service', 'gate', { timeout: '5 seconds; rm' }), /--timeout must be a duration/);
  assert.match(refused('a.service', 'door'), /--mode must be gate, slice or nftset, not "door"/);
  assert.match(refused('a.slice', 'slice'), /only services and scopes/);
  for (const slice of ['x', 'x.service', 'a--b.slice', '-.slice', 'x y.slice']) {
    assert.match(refused('a.service', 'slice', { slice }), /must be the name of a slice/);
  }
  assert.match(refused('a.service', 'nftset'), /needs --set/);
  assert.match(refused('a.timer', 'nftset', { set: 'inet:f:s' }), /a timer has no cgroup/);
  for (const set of ['s', 'inet:f', 'inet:f:s:t', 'x:f:s', 'inet:f:s;x', 'inet::s']) {
    assert.match(refused('a.service', 'nftset', { set }), /--set must be FAMILY:TABLE:SET/);
  }
});

test('a set is read as family, table and name', () => {
  assert.deepEqual(setReference('ip6:my-table:s.1'), { table: { family: 'ip6', name: 'my-table' }, name: 's.1' });
});

test('a program that systemd would not find is named by its path, in letters that systemd takes as they are', () => {
  assert.equal(unitWord('/usr/bin/node'), '/usr/bin/node');
  assert.equal(unitWord('/opt/my node/100%/$x/"q"\\'), '"/opt/my node/100%%/$$x/\\"q\\"\\\\"');
});
