/** What journalctl is asked for, and what its lines are read as. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  EntryLines,
  followArguments,
  journalTrouble,
  parseEntry,
} from '../../../../src/system/linux/journalctl-entries.ts';

const fields = {
  _BOOT_ID: '2a051c8c5efd43beb40e9ffe1b2c0f63',
  __REALTIME_TIMESTAMP: '1795262208202264',
  __CURSOR: 's=79e4957895c6492daeb71d4590839ef0;i=70',
  __MONOTONIC_TIMESTAMP: '2795800989',
};
const system = { ...fields, _SYSTEMD_UNIT: 'init.scope', UNIT: 'ssh.service' };
const user = {
  ...fields,
  _SYSTEMD_UNIT: 'user@1000.service',
  _SYSTEMD_USER_UNIT: 'init.scope',
  USER_UNIT: 'app-firefox-1.scope',
};
const jobOf = (entry: object): unknown => parseEntry(JSON.stringify(entry))?.job;

test('an entry of pid 1 is a job of the system, one of a user manager a job of a user', () => {
  assert.deepEqual(parseEntry(JSON.stringify(system)), {
    cursor: fields.__CURSOR,
    at: 1_795_262_208_202_264,
    job: { unit: 'ssh.service', user: false, at: 1_795_262_208_202_264 },
  });
  assert.deepEqual(jobOf(user), { unit: 'app-firefox-1.scope', user: true, at: 1_795_262_208_202_264 });
});

test("what a user's process writes into the field of system units is no job of the system", () => {
  assert.equal(jobOf({ ...user, USER_UNIT: undefined, UNIT: 'ssh.service' }), undefined);
  assert.deepEqual(jobOf({ ...user, UNIT: 'ssh.service' }), jobOf(user));
  assert.equal(jobOf({ ...system, _SYSTEMD_UNIT: 'evil.service' }), undefined);
  assert.equal(jobOf({ ...system, _SYSTEMD_UNIT: undefined }), undefined);
});

test('fields that come twice, are no text or are too long for journalctl name no unit; the place in the journal counts', () => {
  for (const unit of [
    ['ssh.service', 'b.service'],
    [115, 115, 104],
    null,
    5,
    '',
    'no ending',
    'a b.service',
    '\u001b.x',
  ]) {
    const entry = parseEntry(JSON.stringify({ ...system, UNIT: unit }));
    assert.deepEqual(entry, { cursor: fields.__CURSOR, at: 1_795_262_208_202_264, job: undefined }, String(unit));
  }
});

test('a line that is no entry is passed over', () => {
  const lines = ['', '-- Boot 1 --', '{', '[]', 'null', '7', '{}', '{"__CURSOR":7,"__REALTIME_TIMESTAMP":"1"}'];
  for (const line of lines) assert.equal(parseEntry(line), undefined, line);
  for (const time of [1, 'x', '', '99999999999999999999']) {
    const line = JSON.stringify({ ...system, __REALTIME_TIMESTAMP: time });
    assert.equal(parseEntry(line), undefined, line);
  }
});

test('no line makes it throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void parseEntry(line)));
});

/** What journalctl makes of its arguments: alternatives of matches that must all hold (journalctl(1)). */
function holds(args: readonly string[], entry: Readonly<Record<string, string>>): boolean {
  const words = args.filter((word) => !word.startsWith('-'));
  const alternatives = words
    .join('\0')
    .split('\0+\0')
    .map((each) => each.split('\0'));
  return alternatives.some((matches) => {
    // Matches of one field are alternatives, those of different fields must all hold.
    const names = new Set(matches.map((match) => match.replace(/=.*/, '')));
    return [...names].every((name) => matches.includes(`${name}=${entry[name]}`));
  });
}

test('jobs that are done and starts that begin are asked for, of systemd and of user managers, and nothing else', () => {
  const args = followArguments({ since: 0 });
  const writers = [
    { _SYSTEMD_UNIT: 'init.scope' },
    { _SYSTEMD_USER_UNIT: 'init.scope' },
    { _SYSTEMD_UNIT: 'a.service' },
    {},
  ];
  const jobs = [{ JOB_RESULT: 'done' }, { JOB_TYPE: 'start' }, { JOB_RESULT: 'failed', JOB_TYPE: 'stop' }, {}];
  const names = [{ SYSLOG_IDENTIFIER: 'systemd' }, { SYSLOG_IDENTIFIER: 'evil' }];
  for (const [w, writer] of writers.entries()) {
    for (const [j, job] of jobs.entries()) {
      for (const [n, name] of names.entries()) {
        const entry: Record<string, string> = { ...writer, ...job, ...name };
        assert.equal(holds(args, entry), w < 2 && j < 2 && n === 0, JSON.stringify(entry));
      }
    }
  }
});

test('it begins at an entry, or at a time with all its microseconds', () => {
  assert.ok(followArguments({ cursor: 's=1;i=2' }).includes('--cursor=s=1;i=2'));
  assert.ok(followArguments({ since: 1_795_262_208_202_264 }).includes('--since=@1795262208.202264'));
});

test('what journalctl complains of without ending is known: no permission, and no journal', () => {
  const hint = `Hint: You are currently not seeing messages from other users and the system.
      Users in the 'systemd-journal' group can see all messages. Pass -q to
      turn off this notice.\n`;
  assert.match(journalTrouble(hint) ?? '', /may not be read.*systemd-journal/);
  assert.match(
    journalTrouble('No journal files were opened due to insufficient permissions.\n') ?? '',
    /may not be read/,
  );
  assert.match(journalTrouble('No journal files were found.\n') ?? '', /Storage=/);
  for (const harmless of ['', 'Journal file /x is truncated, ignoring file.\n']) {
    assert.equal(journalTrouble(harmless), undefined);
  }
});

test('lines come out whole, wherever the stream is cut', () => {
  const lines = fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' ')));
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 9 }), (all, size) => {
      const bytes = Buffer.from(all.map((line) => `${line}\n`).join(''));
      const reader = new EntryLines();
      const found: string[] = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...reader.add(bytes.subarray(at, at + size)));
      assert.deepEqual(
        found,
        all.map((line) => Buffer.from(line).toString()),
      );
    }),
  );
});

test('a line that is too long is passed over with its end, and those around it are not', () => {
  for (const size of [1000, 64 * 1024, 1_000_000]) {
    const bytes = Buffer.from(`before\n${'x'.repeat(200_000)}\nafter\nlast\n`);
    const reader = new EntryLines();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...reader.add(bytes.subarray(at, at + size)));
    assert.deepEqual(found, ['before', 'after', 'last'], `${size}`);
  }
});
