/** The environment of child processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childEnvironment } from '../../../../src/system/linux/child-environment.ts';

test('a child gets everything but the number of threads that is meant for lookups of names', () => {
  const own = { PATH: '/bin', NODE_OPTIONS: '--no-warnings', UV_THREADPOOL_SIZE: '64' };
  assert.deepEqual(childEnvironment(own), { PATH: '/bin', NODE_OPTIONS: '--no-warnings', MALLOC_ARENA_MAX: '2' });
  assert.equal(own.UV_THREADPOOL_SIZE, '64');
});

test('a number of arenas that somebody has chosen holds for children too', () => {
  assert.deepEqual(childEnvironment({ MALLOC_ARENA_MAX: '8' }), { MALLOC_ARENA_MAX: '8' });
});
