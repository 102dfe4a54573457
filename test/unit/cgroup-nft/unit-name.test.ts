/** Names of units and their directories, as systemd 252 and 257 were seen to make them (cg_escape and cg_slice_to_path, called). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  defaultPath,
  defaultUserPath,
  directoryNames,
  escapeUnitText,
  hasCgroup,
  parentSlice,
  pathDepth,
  slicePath,
  unescapeUnitText,
  unitNameProblem,
  unitOfDirectory,
  unitType,
} from '../../../src/cgroup-nft/unit-name.ts';

describe("a unit's directory", () => {
  const table: Record<string, readonly string[]> = {
    'foo.service': ['foo.service'],
    'memory.service': ['_memory.service'],
    'memory.slice': ['_memory.slice'],
    'cpu.service': ['_cpu.service'],
    'cpus.service': ['cpus.service'],
    'cpu-x.service': ['cpu-x.service'],
    'cpu.foo.service': ['_cpu.foo.service', 'cpu.foo.service'],
    'bpf-firewall.service': ['_bpf-firewall.service'],
    'bpf-foo.service': ['bpf-foo.service'],
    'hugetlb.service': ['hugetlb.service'],
    'cgroup.service': ['_cgroup.service'],
    'cgroup.x.service': ['_cgroup.x.service'],
    'cgroupx.service': ['cgroupx.service'],
    '_x.service': ['__x.service'],
    '__x.service': ['___x.service'],
    '.x.service': ['_.x.service'],
    tasks: ['_tasks'],
    release_agent: ['_release_agent'],
    notify_on_release: ['_notify_on_release'],
    memory: ['memory'],
    'a\\x2db.service': ['a\\x2db.service'],
    'foo@x.service': ['foo@x.service'],
  };
  for (const [unit, names] of Object.entries(table)) {
    it(`of ${unit} is ${names.join(' or ')}`, () => {
      assert.deepEqual(directoryNames(unit), names);
      const [today] = names;
      assert.equal(unitOfDirectory(today ?? ''), unit);
    });
  }

  it('leads back to the unit, whatever its name', () => {
    fc.assert(fc.property(fc.string(), (unit) => unitOfDirectory(directoryNames(unit)[0]) === unit));
  });
});

describe("a slice's name", () => {
  const table: Record<string, string | undefined> = {
    'a.slice': 'a.slice',
    'a-b-c.slice': 'a.slice/a-b.slice/a-b-c.slice',
    'memory-x.slice': '_memory.slice/memory-x.slice',
    'system-foo\\x2dbar.slice': 'system.slice/system-foo\\x2dbar.slice',
    '-.slice': '',
    '-a.slice': undefined,
    'a-.slice': undefined,
    'a--b.slice': undefined,
    'a@b.slice': undefined,
    'a b.slice': undefined,
    '.slice': undefined,
    'a.service': undefined,
  };
  for (const [slice, path] of Object.entries(table)) {
    it(`${slice} says that it stands at ${path ?? 'no place'}`, () => assert.equal(slicePath(slice), path));
  }

  it('names the slice that it is in', () => {
    assert.deepEqual(['a-b-c.slice', 'a.slice', '-.slice', 'a-b.service'].map(parentSlice), [
      'a-b.slice',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the name of a unit', () => {
  const good = [
    'a.service',
    'foo@x.service',
    'foo@@x.service',
    'a@b@c.socket',
    'a..service',
    'a:b_c-d.scope',
    'x.target',
  ];
  good.push('.x.service', 'a\\x2db.mount', `${'a'.repeat(247)}.service`);
  for (const unit of good) it(`may be ${unit.slice(0, 40)}`, () => assert.equal(unitNameProblem(unit), undefined));

  const bad: Record<string, RegExp> = {
    '': /no type/,
    a: /no type/,
    'a.foo': /".foo" is no type/,
    '.service': /before the type is missing/,
    '@x.service': /before the "@" is missing/,
    'foo@.service': /template/,
    'a b.service': /cannot have " "/,
    'a/b.service': /cannot have "\/"/,
    'é.service': /cannot have "é"/,
    'a*.service': /cannot have "\*"/,
    [`${'a'.repeat(248)}.service`]: /at most 255/,
  };
  for (const [unit, problem] of Object.entries(bad)) {
    it(`is not ${JSON.stringify(unit.slice(0, 40))}`, () => assert.match(unitNameProblem(unit) ?? '', problem));
  }

  it('ends in its type, and not every type has a cgroup', () => {
    assert.equal(unitType('a.b.service'), 'service');
    assert.equal(unitType('service'), undefined);
    assert.equal(unitType('a.conf'), undefined);
    assert.deepEqual(['service', 'scope', 'slice', 'socket', 'mount', 'swap'].filter(hasCgroup).length, 6);
    assert.deepEqual(['timer', 'target', 'path', 'device', 'automount'].filter(hasCgroup), []);
  });
});

describe('escaping', () => {
  // The right side is what systemd-escape of systemd 252 prints.
  const table: Record<string, string> = {
    'systemd-cryptsetup': 'systemd\\x2dcryptsetup',
    'a\\x2db': 'a\\x5cx2db',
    '.x': '\\x2ex',
    'a.b': 'a.b',
    'a/b c': 'a-b\\x20c',
    'a_b:c@d': 'a_b:c\\x40d',
    é: '\\xc3\\xa9',
  };
  for (const [text, escaped] of Object.entries(table)) {
    it(`makes ${escaped} of ${text}, and back`, () => {
      assert.equal(escapeUnitText(text), escaped);
      assert.equal(unescapeUnitText(escaped), text);
    });
  }

  it('is undone for any text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => !/\p{Cs}/u.test(text)),
        (text) => {
          const escaped = escapeUnitText(text);
          assert.match(escaped, /^[A-Za-z0-9:_.\\-]*$/);
          assert.equal(unescapeUnitText(escaped), text);
        },
      ),
    );
  });

  it('is no escape without two hexadecimal digits, or when it makes no UTF-8', () => {
    for (const text of ['\\', '\\x', '\\x2', '\\x2g', '\\y2d', '\\xff'])
      assert.equal(unescapeUnitText(text), undefined, text);
  });
});

describe('a unit without a slice of its own', () => {
  const table: Record<string, string | undefined> = {
    'postfix.service': 'system.slice/postfix.service',
    'sshd.socket': 'system.slice/sshd.socket',
    'memory.service': 'system.slice/_memory.service',
    'foo@x.service': 'system.slice/system-foo.slice/foo@x.service',
    'systemd-cryptsetup@a.service': 'system.slice/system-systemd\\x2dcryptsetup.slice/systemd-cryptsetup@a.service',
    'a\\x2db@x.service': 'system.slice/system-a\\x5cx2db.slice/a\\x2db@x.service',
    'machine-qemu.slice': 'machine.slice/machine-qemu.slice',
    'init.scope': 'init.scope',
    'user@1000.service': 'user.slice/user-1000.slice/user@1000.service',
    'user-runtime-dir@1000.service': 'user.slice/user-1000.slice/user-runtime-dir@1000.service',
    'a.timer': undefined,
    'a b.service': undefined,
    'foo@.service': undefined,
    a: undefined,
  };
  for (const [unit, path] of Object.entries(table)) {
    it(`${unit} stands at ${path ?? 'no place'}`, () => assert.equal(defaultPath(unit), path));
  }

  it('stands in app.slice of the manager when it is one of a user', () => {
    const root = 'user.slice/user-1000.slice/user@1000.service';
    assert.equal(defaultUserPath(1000, 'foo.service'), `${root}/app.slice/foo.service`);
    assert.equal(defaultUserPath(1000, 'foo-x@y.service'), `${root}/app.slice/app-foo\\x2dx.slice/foo-x@y.service`);
    assert.equal(defaultUserPath(1000, 'init.scope'), `${root}/init.scope`);
    assert.equal(defaultUserPath(1000, 'session.slice'), `${root}/session.slice`);
    assert.equal(defaultUserPath(1000, 'a.timer'), undefined);
  });

  it('has a level that is the number of names', () => {
    assert.deepEqual(['', 'a', 'a/b/c'].map(pathDepth), [0, 1, 3]);
  });
});
