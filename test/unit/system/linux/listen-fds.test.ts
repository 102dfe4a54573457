/** Sockets passed by systemd. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenFds } from '../../../../src/system/linux/listen-fds.ts';

test('passed sockets begin at descriptor 3 and have their names', () => {
  assert.deepEqual(listenFds({ LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'udp:' }, 7), [
    { fd: 3, name: 'udp' },
    { fd: 4, name: 'unknown' },
  ]);
});

test('variables that are meant for another process, or broken, pass nothing', () => {
  assert.deepEqual(listenFds({ LISTEN_PID: '8', LISTEN_FDS: '1' }, 7), []);
  for (const LISTEN_FDS of [undefined, '', '0', '-1', '1.5', 'x', '1e9']) {
    assert.deepEqual(listenFds({ LISTEN_PID: '7', LISTEN_FDS }, 7), []);
  }
  assert.deepEqual(listenFds({}, 7), []);
});
