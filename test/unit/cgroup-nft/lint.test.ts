/** What is doubtful in rules that nft takes: said with its place, and nothing said of rules that are right. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lintStatements, unitPatternLints } from '../../../src/cgroup-nft/lint.ts';
import { parseRuleFile } from '../../../src/cgroup-nft/rule-file.ts';

function lintsOf(text: string): readonly string[] {
  const parsed = parseRuleFile(text, 'f');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return lintStatements(parsed.statements).map(
    ({ severity, code, line, column, message }) => `${severity} ${code} ${line}:${column} ${message}`,
  );
}

/** Codes and messages for a path, in a rule of the right level and trigger. */
function ofPath(path: string): readonly string[] {
  const level = path.split('/').filter(Boolean).length;
  const unit = path.split('/').at(-1)?.replace(/^_/, '') ?? '';
  const trigger = /^[A-Za-z0-9@._\\:-]+[^@]\.(service|scope|slice|socket)$/.test(unit) ? unit : '*.service';
  return lintsOf(`# ${trigger} :: inet f c socket cgroupv2 level ${level} "${path}" accept`).map((lint) =>
    lint.replace(/^\w+ (\S+) \S+ rule of \S+ /, '$1 '),
  );
}

describe('nothing is said of', () => {
  const right = [
    'system.slice/postfix.service',
    'system.slice/_memory.service',
    'system.slice/__x.service',
    'system.slice/_cpu.foo.service',
    'system.slice/cpu.foo.service',
    'system.slice/system-foo.slice/foo@x.service',
    'system.slice/system-systemd\\x2dcryptsetup.slice/systemd-cryptsetup@a.service',
    'user.slice/user-1000.slice/user@1000.service',
    'user.slice/user-*.slice/user@*.service/app.slice/app-firefox-*.scope',
    'user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.slice/foo@x.service',
    'machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator',
    'kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-1.scope',
    'docker/0123/system.slice/system-foo.slice/foo@x.service',
    'custom/anything',
    'init.scope',
    'system.slice/foo.socket',
    '*/foo.service',
    'a-*.slice/x.service',
    '*.slice/a.slice',
    'system.slice/*@x.service',
  ];
  for (const path of right) it(path, () => assert.deepEqual(ofPath(path), []));

  it("elements, whose level is the set's affair", () => {
    assert.deepEqual(lintsOf('# a.service :: add element inet f s { "system.slice/a.service", "x.slice/b" }'), []);
  });

  it('paths that are looked up in a set', () => {
    assert.deepEqual(lintsOf('# a.service :: inet f c socket cgroupv2 level 2 @units drop'), []);
  });
});

describe('a level', () => {
  const at = (level: number, path: string): readonly string[] =>
    lintsOf(`# b.service :: inet f c \\\n#  socket cgroupv2 level ${level} "${path}" accept`);
  it('that is too high never matches', () => {
    assert.deepEqual(at(3, 'a.slice/b.service'), [
      'warning level-mismatch 2:28 rule of b.service: level 3 never matches "a.slice/b.service", which has 2 names: write level 2',
    ]);
  });

  it('that is too low never matches either, but may be meant for what is above', () => {
    assert.deepEqual(at(1, 'a.slice/b.service'), [
      'warning level-mismatch 2:28 rule of b.service: level 1 never matches "a.slice/b.service", which has 2 names: write level 2, or name "a.slice" if all below it is meant',
    ]);
    assert.deepEqual(at(0, 'b.service').length, 1);
  });
});

describe('a path', () => {
  const table: Record<string, string> = {
    '/sys/fs/cgroup/system.slice/a.service':
      'impossible-path "sys/fs/cgroup/system.slice/a.service" never exists: paths begin below the mount point, so write "system.slice/a.service"',
    '/sys/fs/cgroup':
      'impossible-path "sys/fs/cgroup" never exists: paths begin below the mount point, so name a cgroup below it',
    'system.slice/memory.service':
      'impossible-path "system.slice/memory.service" never exists: the directory of "memory.service" is "_memory.service"',
    'system.slice/_foo.service':
      'impossible-path "system.slice/_foo.service" never exists: the directory of "foo.service" is "foo.service"',
    'system.slice/a.timer':
      'impossible-path "system.slice/a.timer" never exists: a timer unit such as "a.timer" has no cgroup',
    'system.slice/a b.service':
      'impossible-path "system.slice/a b.service" never exists: "a b.service" is no unit: a unit\'s name cannot have " " in it',
    'system.slice/foo@.service':
      'impossible-path "system.slice/foo@.service" never exists: "foo@.service" is no unit: it is a template: only its instances run, as in foo@x.service',
    'system.slice/a\\x2.service':
      'impossible-path "system.slice/a\\x2.service" never exists: in "a\\x2.service" a "\\" is not followed by "x" and two hexadecimal digits',
    'system-foo.slice/a.service':
      'impossible-path "system-foo.slice/a.service" never exists: "system-foo.slice" stands in "system.slice"',
    'a.slice/b-c.slice': 'impossible-path "a.slice/b-c.slice" never exists: "b-c.slice" stands in "b.slice"',
    'a.slice/b.slice':
      'impossible-path "a.slice/b.slice" never exists: "b.slice" stands in no other slice: write "a-b.slice", or leave "a.slice" out',
    'a--b.slice': 'impossible-path "a--b.slice" never exists: "a--b.slice" has a dash too many for a slice',
    'system.slice/foo@x.service':
      'unlikely-path unless it has Slice=system.slice, an instance such as "foo@x.service" stands elsewhere: "system.slice/system-foo.slice/foo@x.service", level 3',
    'system.slice/foo-a@*.service':
      'unlikely-path unless it has Slice=system.slice, an instance such as "foo-a@*.service" stands elsewhere: "system.slice/system-foo\\x2da.slice/foo-a@*.service", level 3',
    'system.slice/user@1000.service':
      'unlikely-path unless it has Slice=system.slice, an instance such as "user@1000.service" stands elsewhere: "user.slice/user-1000.slice/user@1000.service", level 3',
    'user.slice/user-1.slice/user@1.service/app.slice/foo@x.service':
      'unlikely-path unless it has Slice=app.slice, an instance such as "foo@x.service" stands elsewhere: "user.slice/user-1.slice/user@1.service/app.slice/app-foo.slice/foo@x.service", level 6',
  };
  for (const [path, lint] of Object.entries(table)) {
    it(`${path}: ${lint.slice(0, 60)}`, () => assert.deepEqual(ofPath(path), [lint]));
  }
});

describe('a rule', () => {
  const path = '"system.slice/a.service"';
  const of = (statement: string): readonly string[] =>
    lintsOf(`# a.service :: inet f c ${statement}`).map((lint) => lint.replace(/:.*/s, ''));

  it('that blocks is open before it is applied', () => {
    assert.deepEqual(of(`socket cgroupv2 level 2 ${path} drop`), ['warning blocks 1']);
    assert.deepEqual(of(`socket cgroupv2 level 2 vmap { ${path} : drop }`), ['warning blocks 1']);
    assert.deepEqual(of(`socket cgroupv2 level 2 ${path} reject with tcp reset comment "x"`), ['warning blocks 1']);
    assert.deepEqual(of(`socket cgroupv2 level 2 ${path} accept comment "drop"`), []);
  });

  it('for all but one cgroup is gone with that cgroup: said once a set', () => {
    assert.deepEqual(of(`socket cgroupv2 level 2 != ${path} accept`), ['warning inequality 1']);
    assert.deepEqual(of(`socket cgroupv2 level 2 ne { ${path}, "b/c" } accept`), ['warning inequality 1']);
    assert.deepEqual(of(`tcp dport != 25 socket cgroupv2 level 2 ${path} accept`), []);
  });

  it('without a cgroup needs no netsteward', () => assert.deepEqual(of('tcp dport 25 accept'), ['note no-cgroup 1']));

  it('of a family without sockets is refused by the kernel', () => {
    for (const family of ['arp', 'bridge', 'netdev']) {
      const [lint] = lintsOf(`# a.service :: ${family} f c socket cgroupv2 level 2 ${path} accept`);
      assert.match(lint ?? '', /^warning family 1:3 .*not in (arp|bridge|netdev)$/);
    }
  });

  it('whose trigger is no unit is told so', () => {
    const [lint] = lintsOf(`# a.services :: inet f c socket cgroupv2 level 2 ${path} accept`);
    assert.equal(
      lint,
      'warning trigger-name 1:3 rule of a.services: "a.services" is no unit: ".services" is no type of unit',
    );
  });

  it("whose trigger is another unit than the path's gets a note", () => {
    const [lint] = lintsOf(
      '# sshd.service :: inet f c socket cgroupv2 level 3 "user.slice/user-0.slice/session-1.scope" accept',
    );
    assert.match(lint ?? '', /^note other-trigger 1:3 rule of sshd.service: the unit is no part of "user.slice/);
    assert.deepEqual(
      lintsOf('# memory.service :: inet f c socket cgroupv2 level 2 "system.slice/_memory.service" accept'),
      [],
    );
    assert.deepEqual(lintsOf('# ssh*.service :: inet f c socket cgroupv2 level 1 "user.slice" accept'), []);
  });
});

describe('a unit of a group', () => {
  const good = [
    'postfix.service',
    'memory.service',
    'foo@*.service',
    'user@*.service/app.slice/app-org.kde.*',
    'app-firefox-*.scope',
  ];
  good.push(
    'system-foo.slice/foo@x.service',
    'user@*.service/**/firefox*.scope',
    'session-*.scope',
    'system.slice/memory.service',
  );
  for (const unit of good) it(`${unit} is right`, () => assert.deepEqual(unitPatternLints(unit), []));

  const doubtful: Record<string, RegExp> = {
    postfix: /"postfix" has no ending: the unit is "postfix.service", say/,
    'a.timer': /a timer unit such as "a.timer" has no cgroup/,
    'system.slice/foo@*.service': /stands elsewhere: "system.slice\/system-foo.slice\/foo@\*.service"/,
    'firefox*.scope':
      /among the system's units alone: for those of users write "user@\*.service\/\*\*\/firefox\*.scope"/,
    '/sys/fs/cgroup/a.slice': /paths begin below the mount point, so write "a.slice"/,
    'a.slice/b.slice/c.service': /"b.slice" stands in no other slice/,
  };
  for (const [unit, message] of Object.entries(doubtful)) {
    it(`${unit} is doubtful`, () => {
      const lints = unitPatternLints(unit);
      assert.equal(lints.length, 1);
      assert.match(lints[0]?.message ?? '', message);
    });
  }
});
