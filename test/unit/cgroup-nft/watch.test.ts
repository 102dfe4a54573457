/** The watcher's members are what the tree has, whatever happens in it, in whatever order it is told, and what was lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern, compileUnitPattern, PatternIndex } from '../../../src/cgroup-nft/glob.ts';
import { CgroupWatcher, type Interest, type MemberChanges } from '../../../src/cgroup-nft/watch.ts';
import { FakeCgroupTree } from '../../fakes/fake-cgroup-tree.ts';

function interestIn(...patterns: readonly string[]): Interest {
  const index = new PatternIndex(patterns.map((text) => [compilePattern(text), text] as const));
  return (path) => index.at(path);
}

interface Watching {
  readonly watcher: CgroupWatcher;
  readonly changes: MemberChanges[];
  readonly failures: Error[];
}

function watching(tree: FakeCgroupTree, interest: Interest): Watching {
  const changes: MemberChanges[] = [];
  const failures: Error[] = [];
  const watcher = new CgroupWatcher({
    tree,
    interest,
    onChange: (change) => changes.push(change),
    onFailed: (error) => failures.push(error),
  });
  return { watcher, changes, failures };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is there at the start is a member, and is not told as a change', async () => {
  const tree = new FakeCgroupTree();
  const id = tree.mkdirAll('system.slice/postfix.service');
  tree.mkdirAll('system.slice/other.service');
  const { watcher, changes } = watching(tree, interestIn('system.slice/postfix.service'));
  assert.deepEqual([...watcher.members], [['system.slice/postfix.service', id]]);
  await settled();
  assert.deepEqual(changes, []);
});

test('a cgroup that is made anew is told as gone with the old id and appeared with the new one, in one batch', async () => {
  const tree = new FakeCgroupTree();
  const before = tree.mkdirAll('system.slice/a.service');
  const { changes } = watching(tree, interestIn('system.slice/a.service'));
  const after = tree.remake('system.slice/a.service');
  tree.deliver();
  await settled();
  const path = 'system.slice/a.service';
  assert.deepEqual(changes, [{ gone: [{ path, id: before }], appeared: [{ path, id: after }] }]);
});

test('a parent that appears with children in it is looked through', async () => {
  const tree = new FakeCgroupTree();
  const { watcher, changes } = watching(tree, interestIn('a.slice/b.slice/c.service'));
  tree.mkdirAll('a.slice/b.slice/c.service');
  // The events of the inner directories went to nobody: nothing watched their parents yet.
  tree.deliver();
  await settled();
  assert.equal(watcher.members.size, 1);
  assert.equal(changes.length, 1);
});

test('what appears and is gone again before it is looked at is not told', async () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('system.slice');
  const { watcher, changes } = watching(tree, interestIn('system.slice/*.service'));
  tree.mkdir('system.slice/a.service');
  tree.rmdir('system.slice/a.service');
  tree.deliver();
  await settled();
  assert.equal(watcher.members.size, 0);
  assert.deepEqual(changes, []);
});

test('just the ancestors that patterns need are watched', () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('system.slice/a.service');
  tree.mkdirAll('user.slice/user-1000.slice/user@1000.service');
  const { watcher } = watching(tree, interestIn('system.slice/a.service'));
  assert.equal(watcher.watches, 2, 'the root and system.slice');
});

test('events that the kernel dropped are made up for when it says so', async () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('system.slice/a.service');
  const { watcher, changes } = watching(tree, interestIn('system.slice/*.service'));
  tree.rmdir('system.slice/a.service');
  tree.mkdir('system.slice/b.service');
  tree.overflow();
  tree.deliver();
  await settled();
  assert.deepEqual([...watcher.members.keys()], ['system.slice/b.service']);
  assert.equal(changes.length, 1);
});

test('a failed source is told once, and says why', () => {
  const tree = new FakeCgroupTree();
  const { failures } = watching(tree, interestIn('a.slice'));
  tree.fail(new Error('no more watches'));
  assert.deepEqual(
    failures.map(({ message }) => message),
    ['no more watches'],
  );
});

test('following other patterns tells the difference', async () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('system.slice/a.service');
  tree.mkdirAll('machine.slice/b.scope');
  const { watcher, changes } = watching(tree, interestIn('system.slice/a.service'));
  watcher.follow(interestIn('machine.slice/*.scope'));
  await settled();
  assert.deepEqual([...watcher.members.keys()], ['machine.slice/b.scope']);
  assert.deepEqual(
    changes.map(({ appeared, gone }) => [appeared.map(({ path }) => path), gone.map(({ path }) => path)]),
    [[['machine.slice/b.scope'], ['system.slice/a.service']]],
  );
});

test('a unit of any slice is found where it is put', async () => {
  const tree = new FakeCgroupTree();
  const index = new PatternIndex([[compileUnitPattern('postfix.service'), true] as const]);
  const { watcher } = watching(tree, (path) => index.at(path));
  tree.mkdirAll('mail.slice/mail-out.slice/postfix.service/inner');
  tree.deliver();
  await settled();
  assert.deepEqual([...watcher.members.keys()], ['mail.slice/mail-out.slice/postfix.service']);
});

/** Gives a function that says what happens, once, just before a watch is set on this directory. */
function beforeWatching(tree: FakeCgroupTree, path: string): (work: () => void) => void {
  let next: (() => void) | undefined;
  const watch = tree.watch.bind(tree);
  tree.watch = (listener) => {
    const inner = watch(listener);
    const add = (at: string): boolean => {
      const work = at === path ? next : undefined;
      if (work !== undefined) next = undefined;
      work?.();
      return inner.add(at);
    };
    return { add, remove: (at) => inner.remove(at), close: () => inner.close() };
  };
  return (work) => {
    next = work;
  };
}

test('a directory that is there again for a moment when its end is told leaves nothing behind', async () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('a.slice/b.slice/c.service');
  const meanwhile = beforeWatching(tree, 'a.slice');
  const { watcher } = watching(tree, interestIn('a.slice', 'a.slice/*/c.service'));
  assert.equal(watcher.members.size, 2);
  const remove = (): void => {
    for (const at of ['a.slice/b.slice/c.service', 'a.slice/b.slice', 'a.slice']) tree.rmdir(at);
  };
  remove();
  tree.mkdirAll('a.slice/b.slice/c.service');
  meanwhile(remove);
  tree.deliver();
  await settled();
  assert.deepEqual([...watcher.members], []);
  assert.equal(watcher.watches, 1);
  const id = tree.mkdirAll('a.slice/b.slice/c.service');
  tree.deliver();
  await settled();
  assert.equal(watcher.members.get('a.slice/b.slice/c.service'), id);
});

test('what went in the moment between the end of its parent and a look at the new one is no member any more', async () => {
  const tree = new FakeCgroupTree();
  tree.mkdirAll('a.slice/c.service');
  const meanwhile = beforeWatching(tree, 'a.slice');
  const { watcher } = watching(tree, interestIn('a.slice/*.service'));
  tree.rmdir('a.slice/c.service');
  tree.remake('a.slice');
  tree.mkdir('a.slice/c.service');
  // Before there is a watch: nobody will ever tell of it.
  meanwhile(() => tree.rmdir('a.slice/c.service'));
  tree.deliver();
  await settled();
  assert.deepEqual([...watcher.members], []);
});

test('the end of a cgroup costs no look at the others', async () => {
  const tree = new FakeCgroupTree();
  for (let at = 0; at < 2000; at++) tree.mkdirAll(`a.slice/u${at}.service`);
  let asked = 0;
  const interest = interestIn('a.slice/*.service');
  const counted: Interest = (at) => {
    asked += 1;
    return interest(at);
  };
  const { watcher } = watching(tree, counted);
  asked = 0;
  const id = tree.id.bind(tree);
  let looks = 0;
  tree.id = (at) => {
    looks += 1;
    return id(at);
  };
  for (let at = 0; at < 100; at++) tree.rmdir(`a.slice/u${at}.service`);
  tree.deliver();
  await settled();
  assert.equal(watcher.members.size, 1900);
  assert.ok(looks <= 100 && asked <= 100, `${looks} looks, ${asked} questions`);
});

const names = ['a.slice', 'b.slice', 'x.service', 'y.service', 'z.scope'];
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const pattern = fc
  .array(fc.constantFrom(...names, '*', '*.service', '?.slice'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const action = fc.oneof(
  fc.record({ kind: fc.constantFrom('make', 'remove', 'remake'), path }),
  fc.record({ kind: fc.constantFrom('deliver', 'overflow'), path: fc.constant('') }),
);

function perform(tree: FakeCgroupTree, kind: string, at: string): void {
  try {
    if (kind === 'make') tree.mkdirAll(at);
    else if (kind === 'remove') tree.rmdir(at);
    else if (kind === 'remake') tree.remake(at);
    else if (kind === 'deliver') tree.deliver();
    else tree.overflow();
  } catch (error) {
    // Not empty, or not there: the tree stays as it is.
    assert.match((error as Error).message, /^E(NOENT|NOTEMPTY|EXIST|BUSY)/);
  }
}

function everyPath(tree: FakeCgroupTree, at = ''): string[] {
  return (tree.children(at) ?? []).flatMap((name) => {
    const inner = at === '' ? name : `${at}/${name}`;
    return [inner, ...everyPath(tree, inner)];
  });
}

test('after any history the members are what the tree has, and the changes told lead there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 3 }), fc.array(action), async (patterns, actions) => {
      const tree = new FakeCgroupTree();
      tree.mkdirAll('a.slice/x.service');
      const interest = interestIn(...patterns);
      const { watcher, changes } = watching(tree, interest);
      const told = new Map(watcher.members);
      for (const { kind, path: at } of actions) perform(tree, kind, at);
      tree.deliver();
      await settled();
      const wanted = everyPath(tree).filter((each) => interest(each).match);
      assert.deepEqual([...watcher.members.keys()].sort(), wanted.sort());
      for (const [each, id] of watcher.members) assert.equal(id, tree.id(each));
      for (const { appeared, gone } of changes) {
        for (const member of gone) {
          assert.equal(told.get(member.path), member.id);
          told.delete(member.path);
        }
        for (const member of appeared) told.set(member.path, member.id);
      }
      assert.deepEqual([...told].sort(), [...watcher.members].sort());
    }),
    { numRuns: 500 },
  );
});
