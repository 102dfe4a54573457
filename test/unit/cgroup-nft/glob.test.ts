/** Globs in names and paths: which cgroups match, and which directories somebody has to watch for them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  compileInterest,
  compilePattern,
  compileUnitPattern,
  matchesPath,
  normalPath,
  PatternIndex,
  patternProblem,
  unitPatternProblem,
} from '../../../src/cgroup-nft/glob.ts';
import { NameGlob, nameGlobProblem } from '../../../src/cgroup-nft/name-glob.ts';

describe('a glob for a name', () => {
  const table: Record<string, readonly [match: readonly string[], none: readonly string[]]> = {
    'a.service': [['a.service'], ['A.service', 'a_service', 'xa.service', 'a.servicex', '']],
    '*': [['a', '.a', 'a.b'], []],
    'a*': [
      ['a', 'ab'],
      ['ba', ''],
    ],
    '*.scope': [
      ['.scope', 'a.scope', 'a.scope.scope'],
      ['a.scopes', 'scope'],
    ],
    'app-*-*.scope': [['app-a-b.scope', 'app---.scope'], ['app-a.scope']],
    'a?c': [
      ['abc', 'a?c'],
      ['ac', 'abbc'],
    ],
    '[a-c]x': [
      ['ax', 'bx', 'cx'],
      ['dx', '-x', 'x'],
    ],
    '[!a-c]x': [
      ['dx', '-x'],
      ['ax', 'x'],
    ],
    '[^a]x': [['bx'], ['ax']],
    '[]a]x': [[']x', 'ax'], ['x']],
    '[!]a]x': [['bx'], [']x', 'ax']],
    '[a-]x': [['ax', '-x'], ['bx']],
    '[-a]x': [['ax', '-x'], ['bx']],
    'a\\x2db': [['a\\x2db'], ['a-b', 'ax2db']],
    '\\*': [['\\', '\\x'], ['*']],
    'a**b': [['ab', 'axb'], ['a']],
    '*a*b*c*': [
      ['abc', 'xxaxxbxxcxx'],
      ['acb', 'ab'],
    ],
  };
  for (const [glob, [match, none]] of Object.entries(table)) {
    it(`${glob} matches ${match.join(' ')}, not ${none.join(' ')}`, () => {
      assert.equal(nameGlobProblem(glob), undefined);
      const compiled = new NameGlob(glob);
      assert.deepEqual(
        match.filter((name) => !compiled.matches(name)),
        [],
      );
      assert.deepEqual(
        none.filter((name) => compiled.matches(name)),
        [],
      );
    });
  }

  it('is refused when a bracket is open, a range empty, or it is no name', () => {
    for (const glob of ['[a', 'x[', '[]', '[!]', '[z-a]', '', '.', '..', 'x'.repeat(256)]) {
      assert.notEqual(nameGlobProblem(glob), undefined, glob);
    }
  });

  it('answers as a regular expression of the same meaning would', () => {
    const letters = fc.constantFrom('a', 'b', '*', '?', '[ab]', '[!a]', '.', '\\', '-');
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '.', '\\', '-'), maxLength: 8 }),
        (parts, name) => {
          const meaning: Record<string, string> = { '*': '.*', '?': '.', '[!a]': '[^a]', '.': '\\.', '\\': '\\\\' };
          const expected = new RegExp(`^${parts.map((part) => meaning[part] ?? part).join('')}$`, 's').test(name);
          const glob = new NameGlob(parts.join(''));
          assert.equal(glob.matches(name), expected);
          if (expected) assert.ok(name.startsWith(glob.prefix));
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('does not try for ever: a hundred stars against a long name', () => {
    assert.equal(new NameGlob(`${'*a'.repeat(100)}b`).matches('a'.repeat(255)), false);
  });
});

describe('a path of a rule', () => {
  it('matches name by name, and never across slashes', () => {
    const pattern = compilePattern('user.slice/*/app.slice/app-firefox-*.scope');
    assert.equal(pattern.literal, false);
    assert.ok(matchesPath(pattern, 'user.slice/user-1000.slice/app.slice/app-firefox-1.scope'));
    assert.ok(!matchesPath(pattern, 'user.slice/a/b/app.slice/app-firefox-1.scope'));
    assert.ok(!matchesPath(pattern, 'user.slice/user-1000.slice/app.slice'));
    assert.ok(!matchesPath(pattern, 'user.slice/user-1000.slice/app.slice/app-firefox-1.scope/x'));
  });

  it('without globs matches itself alone, and names directories, not units', () => {
    const pattern = compilePattern('system.slice/memory.service');
    assert.equal(pattern.literal, true);
    assert.ok(matchesPath(pattern, 'system.slice/memory.service'));
    assert.ok(!matchesPath(pattern, 'system.slice/_memory.service'));
  });

  it('has to be watched for in the directories above it, and in no others', () => {
    const interest = compileInterest([
      compilePattern('u.slice/*/app.slice/a-*.scope'),
      compilePattern('system.slice/b.service'),
    ]);
    const answers: Record<string, string> = {
      '': 'watch',
      'u.slice': 'watch',
      'u.slice/x': 'watch',
      'u.slice/x/app.slice': 'watch',
      'u.slice/x/other.slice': '',
      'u.slice/x/app.slice/a-1.scope': 'match',
      'u.slice/x/app.slice/a-1.scope/y': '',
      'system.slice': 'watch',
      'system.slice/b.service': 'match',
      'system.slice/c.service': '',
      'other.slice': '',
    };
    for (const [path, answer] of Object.entries(answers)) {
      const { match, watch } = interest(path);
      assert.equal([watch ? 'watch' : '', match ? 'match' : ''].join(''), answer, path);
    }
  });

  it('may be both: wanted itself, and a way to others', () => {
    const interest = compileInterest([compilePattern('a.slice'), compilePattern('a.slice/b')]);
    const { match, watch } = interest('a.slice');
    assert.deepEqual([match, watch], [true, true]);
  });

  it('is refused with what is wrong with it', () => {
    const table: Record<string, RegExp> = {
      '': /empty/,
      'a/': /a name is missing/,
      '/a': /a name is missing/,
      'a//b': /a name is missing/,
      'a/../b': /".." is the name of no cgroup/,
      'a"b': /not ASCII, or a quote/,
      'a\nb': /not ASCII/,
      é: /not ASCII/,
      'a/[b': /not closed/,
      [`${'a/'.repeat(40)}b`]: /more than 32 names/,
      [`${'a'.repeat(3001)}`]: /longer than 3000/,
    };
    for (const [path, problem] of Object.entries(table)) {
      assert.match(patternProblem(path) ?? '', problem, path);
      assert.throws(() => compilePattern(path), { code: 'glob-invalid' });
    }
  });

  it('loses doubled slashes and those at its ends', () => assert.equal(normalPath('//a///b/'), 'a/b'));
});

describe('a unit of a group', () => {
  const user = 'user.slice/user-1000.slice/user@1000.service';
  const table: Record<string, readonly [match: readonly string[], none: readonly string[]]> = {
    'postfix.service': [
      ['system.slice/postfix.service', 'postfix.service', 'mail.slice/mail-a.slice/postfix.service'],
      [
        `${user}/app.slice/postfix.service`,
        `${user}/system.slice/postfix.service`,
        'system.slice/other.service/postfix.service',
        'machine.slice/machine-x.scope/payload/system.slice/postfix.service',
        'system.slice/postfix.service/worker',
        'system.slice/postfix',
      ],
    ],
    'foo@*.service': [
      ['system.slice/system-foo.slice/foo@x.service'],
      ['system.slice/system-foo.slice', 'system.slice/foo.service'],
    ],
    'memory.service': [['system.slice/_memory.service'], ['system.slice/__memory.service']],
    '_x.service': [['system.slice/__x.service'], []],
    'm*.service': [['system.slice/_memory.service', 'system.slice/mpd.service'], []],
    'system.slice/postfix.service': [
      ['system.slice/postfix.service'],
      ['a.slice/postfix.service', 'x/system.slice/postfix.service'],
    ],
    'system-foo.slice/foo@x.service': [
      ['system.slice/system-foo.slice/foo@x.service'],
      ['system-foo.slice/foo@x.service'],
    ],
    'machine.slice': [['machine.slice'], ['machine.slice/a.slice', `${user}/machine.slice`]],
    'machine-a.slice': [['machine.slice/machine-a.slice'], ['machine-a.slice']],
    'machine-*.slice': [
      ['machine.slice/machine-a.slice', 'machine.slice/machine-a.slice/machine-a-b.slice'],
      ['machine.slice'],
    ],
    'foo.service/worker': [
      ['system.slice/foo.service/worker'],
      ['system.slice/foo.service', 'system.slice/foo.service/a/worker'],
    ],
    'user@*.service/app.slice/app-org.kde.*': [
      [`${user}/app.slice/app-org.kde.kate@x.service`],
      ['system.slice/user@1.service/app.slice/app-org.kde.x', `${user}/app.slice/a.slice/app-org.kde.x`],
    ],
    'user@1000.service/**/firefox*.scope': [
      [`${user}/app.slice/firefox-1.scope`, `${user}/firefox.scope`, `${user}/a.slice/a-b.slice/firefox.scope`],
      [
        'user.slice/user-1001.slice/user@1001.service/app.slice/firefox.scope',
        `${user}/app.slice/x.service/firefox.scope`,
      ],
    ],
    'user@1000.service': [[user], [`${user}/app.slice`]],
    'session-*.scope': [['user.slice/user-1000.slice/session-3.scope'], []],
    'app-firefox-*.scope': [
      ['system.slice/app-firefox-1.scope', `${user}/app.slice/app-firefox-1.scope`],
      ['x/app-firefox-1.scope'],
    ],
    'app.slice/a.service': [
      ['app.slice/a.service', `${user}/app.slice/a.service`],
      ['system.slice/app.slice/a.service'],
    ],
    'init.scope': [['init.scope'], [`${user}/init.scope`]],
    '/system.slice//a.service/': [['system.slice/a.service'], []],
    '**/a.service': [['a.service', 'x.slice/a.service'], ['x/a.service']],
    '**/**/a.service': [['a.service', 'x.slice/y.slice/a.service'], []],
    'a.slice/**/b.slice/**/c.service': [
      ['a.slice/b.slice/c.service', 'a.slice/b.slice/b.slice/c.service'],
      ['a.slice/c.service'],
    ],
  };
  for (const [pattern, [match, none]] of Object.entries(table)) {
    it(`${pattern} finds ${match.join(' and ')}`, () => {
      assert.equal(unitPatternProblem(pattern), undefined);
      const compiled = compileUnitPattern(pattern);
      assert.deepEqual(
        match.filter((path) => !matchesPath(compiled, path)),
        [],
      );
      assert.deepEqual(
        none.filter((path) => matchesPath(compiled, path)),
        [],
      );
    });
  }

  it('without slash has to be watched for in slices alone', () => {
    const interest = compileInterest([compileUnitPattern('postfix.service')]);
    const watched = ['', 'system.slice', 'a.slice/a-b.slice', 'user.slice', 'user.slice/user-1000.slice'];
    assert.deepEqual(
      watched.filter((path) => !interest(path).watch),
      [],
    );
    const others = [
      'system.slice/postfix.service',
      'system.slice/b.service',
      user,
      `${user}/app.slice`,
      'init.scope',
      'x',
    ];
    assert.deepEqual(
      others.filter((path) => interest(path).watch),
      [],
    );
  });

  it('of a user is watched for in the managers of users', () => {
    const interest = compileInterest([compileUnitPattern('user@*.service/app.slice/a-*')]);
    assert.deepEqual(
      ['', 'user.slice', 'user.slice/user-1.slice', user, `${user}/app.slice`].filter((path) => !interest(path).watch),
      [],
    );
    assert.deepEqual(
      ['system.slice', `${user}/b.slice`, 'user.slice/x', `${user}/app.slice/a-b`].filter(
        (path) => interest(path).watch,
      ),
      [],
    );
  });

  it('is refused when it names nothing', () => {
    for (const pattern of ['', '/', '**', 'a.slice/**', 'a"', 'a/../b', '[a']) {
      assert.notEqual(unitPatternProblem(pattern), undefined, pattern);
      assert.throws(() => compileUnitPattern(pattern), { code: 'glob-invalid' });
    }
  });
});

describe('many patterns at once', () => {
  const name = fc.constantFrom('a', 'b', 'a.slice', 'b.slice', '_a', 'ab', '*', 'a*', '?', '*.slice', '[ab]');
  const patterns = fc.array(
    fc.oneof(
      fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => compilePattern(names.join('/'))),
      fc
        .array(fc.oneof(name, fc.constant('**')), { maxLength: 3 })
        .chain((names) => name.map((last) => compileUnitPattern([...names, last].join('/')))),
    ),
    { maxLength: 6 },
  );
  const path = fc
    .array(fc.constantFrom('a', 'b', '_a', 'a.slice', 'b.slice', 'c.slice', 'ab'), { maxLength: 5 })
    .map((names) => names.join('/'));

  it('answer as each of them alone would', () => {
    fc.assert(
      fc.property(patterns, path, (all, where) => {
        const index = new PatternIndex(all.map((pattern, at) => [pattern, at]));
        const { match, values } = index.at(where);
        const expected = all.flatMap((pattern, at) => (matchesPath(pattern, where) ? [at] : []));
        assert.deepEqual(
          values.toSorted((a, b) => a - b),
          expected,
        );
        assert.equal(match, expected.length > 0);
      }),
      { numRuns: 5000 },
    );
  });

  it('have every directory above a match watched', () => {
    fc.assert(
      fc.property(patterns, path, (all, where) => {
        const interest = compileInterest(all);
        if (where === '' || !interest(where).match) return;
        const names = where.split('/');
        for (let depth = 0; depth < names.length; depth++) {
          assert.ok(interest(names.slice(0, depth).join('/')).watch, `${where} at ${depth}`);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('of ten thousand units find the ones that match among as many cgroups', () => {
    const index = new PatternIndex(
      Array.from({ length: 10_000 }, (_, n) => [
        compileUnitPattern(n % 2 === 0 ? `u${n}.service` : `u${n}@*.service`),
        n,
      ]),
    );
    for (let n = 0; n < 10_000; n++) {
      const where = n % 2 === 0 ? `system.slice/u${n}.service` : `system.slice/system-u${n}.slice/u${n}@x.service`;
      assert.deepEqual(index.at(where).values, [n]);
    }
  });
});
