/** Memory given back after a start: a heap that shrinks, in a main thread and in a worker, and a timer that keeps nobody. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const module = new URL('../../../../src/system/linux/spare-memory.js', import.meta.url).href;

/** What the heap takes of the system before and after, bytes, in a process of its own that has made 30 MB of garbage. */
function heaps(inWorker: boolean): { readonly before: number; readonly after: number } {
  const work = `
    (async () => {
      const { giveBackMemory } = await import(${JSON.stringify(module)});
      const { getHeapStatistics } = require('node:v8');
      let held = Array.from({ length: 30 }, (_, at) => Array.from({ length: 16 * 1024 }, (_, index) => [at + index]));
      const before = getHeapStatistics().total_heap_size;
      held = undefined;
      await giveBackMemory();
      console.log(JSON.stringify({ before, after: getHeapStatistics().total_heap_size }));
    })();`;
  const program = inWorker
    ? `new (require('node:worker_threads').Worker)(${JSON.stringify(work)}, { eval: true })`
    : work;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return JSON.parse(stdout) as { before: number; after: number };
}

test('the heap of a main thread shrinks to what is in use', () => {
  const { before, after } = heaps(false);
  assert.ok(before > 20_000_000, `${before}`);
  assert.ok(after < before - 15_000_000, `${before} to ${after}`);
});

test('so does that of a worker thread', () => {
  const { before, after } = heaps(true);
  assert.ok(before > 20_000_000, `${before}`);
  assert.ok(after < before - 15_000_000, `${before} to ${after}`);
});

test('a process that has planned it may end before', () => {
  const program = `
    import(${JSON.stringify(module)}).then(({ giveBackSoon }) => {
      giveBackSoon();
      giveBackSoon();
      console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
    });`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(stdout, '0\n');
});

test('arenas are limited without a word, and left alone where the environment says how many', () => {
  const program = `import(${JSON.stringify(module)}).then(({ limitArenas }) => limitArenas()).then(() => console.log('done'));`;
  for (const env of [{}, { MALLOC_ARENA_MAX: '7' }]) {
    const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    assert.equal(stderr, '');
    assert.equal(stdout, 'done\n');
  }
});
