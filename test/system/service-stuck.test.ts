/** packaging/netsteward.service under real systemd: what stands still is started again, by the supervisor first, by systemd after it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Container, skip } from './container.ts';
import { eventually } from './eventually.ts';
import type { Command } from './inside.ts';
import {
  bootService,
  cgroupNft,
  cgroupNftPid,
  nbrpc,
  property,
  said,
  start,
  states,
  status,
  unit,
} from './netsteward-service.ts';

/** Seconds, at most: a module hangs after 30 or 90 s without an answer, of questions that come each 10 s; containers are slow. */
const seconds = 240;

/**
 * Holds one thread as a debugger does (ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT), so that all others go on, until it is
 * ended itself: `python3 -c … PID`. The thread is the last that has an event loop: that of the only module.
 */
const holder = `
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
pid = sys.argv[1]
def in_a_loop(tid):
    call = open(f'/proc/{pid}/task/{tid}/syscall').read().split()[0]
    return call in ('232', '281', '22')  # epoll_wait, epoll_pwait of x86_64; epoll_pwait of others
loops = []
while len(loops) < 3:  # the program's, that of V8's delayed tasks, the module's; one that is at work shows none
    loops = sorted(t for t in map(int, os.listdir(f'/proc/{pid}/task')) if in_a_loop(t))
    time.sleep(0.02)
tid = loops[-1]
for request in (0x4206, 0x4207):  # linux/ptrace.h
    if libc.ptrace(request, tid, 0, 0) != 0: raise OSError(ctypes.get_errno())
print('held', tid, flush=True)
# Who traces a thread has to take leave of it, or its process is not gone (ptrace(2), "Death under ptrace"). __WALL
while not os.WIFSIGNALED(os.waitpid(tid, 0x40000000)[1]): pass
`;

/** A socket that takes connections and says nothing: an nft-agent for which a start waits. `python3 -c … PATH` */
const silent = `
import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(100)
print('listening', flush=True)
time.sleep(3600)
`;
const silence = '/run/silent-agent.sock';

async function hold(box: Container): Promise<Command> {
  const command = box.spawn(['/usr/bin/python3', '-c', holder, await property(box, 'MainPID')]);
  await eventually('the thread is held', () => command.stdout().includes('held'), { details: command.stderr });
  return command;
}

const told = (box: Container, pattern: RegExp): Promise<unknown> =>
  eventually(String(pattern), async () => pattern.test(await said(box)), { seconds });

/** systemd has ended the service by its watchdog, and started it again with all its modules. */
async function restartedBySystemd(box: Container, pid: string, modules: readonly string[]): Promise<void> {
  await eventually('systemd starts it again', async () => (await property(box, 'NRestarts')) === '1', { seconds });
  await eventually('it is ready', async () => (await property(box, 'ActiveState')) === 'active', { seconds });
  assert.notEqual(await property(box, 'MainPID'), pid);
  assert.match(await said(box), /Watchdog timeout/);
  assert.deepEqual(await states(box), modules);
}

describe('what stands still in netsteward.service', { skip, concurrency: true }, () => {
  test('a process of a module is started again by the supervisor, and the others do not notice', async () => {
    const box = await bootService(nbrpc + cgroupNft);
    try {
      await start(box);
      const [supervisor, module] = [await property(box, 'MainPID'), await cgroupNftPid(box)];
      await box.run(['kill', '-STOP', module]);
      await told(box, /cgroup-nft ended: it hangs: no answer for 30s/);
      await eventually('it runs again', async () => (await status(box)).ready, { seconds });
      assert.notEqual(await cgroupNftPid(box), module);
      assert.equal((await box.exec(['kill', '-0', module])).code, 1, 'the old one is gone');
      assert.deepEqual([await property(box, 'MainPID'), await property(box, 'NRestarts')], [supervisor, '0']);
      const { modules } = await status(box);
      assert.deepEqual(
        modules.map(({ name, restarts }) => [name, restarts]),
        [
          ['nbrpc', 0],
          ['cgroup-nft', 1],
        ],
      );
    } finally {
      await box.stop();
    }
  });

  test('a thread of a module is started again by the supervisor, as soon as the kernel lets it end', async () => {
    const box = await bootService(nbrpc);
    try {
      await start(box);
      const supervisor = await property(box, 'MainPID');
      const holding = await hold(box);
      await told(box, /nbrpc was killed and does not end: it hangs: no answer for 1m 30s/);
      assert.match((await status(box)).modules[0]?.state ?? '', /running/);
      holding.kill('SIGKILL');
      await told(box, /nbrpc ended: it hangs: no answer for 1m 30s/);
      await eventually('it runs again', async () => (await status(box)).ready, { seconds });
      assert.deepEqual([await property(box, 'MainPID'), await property(box, 'NRestarts')], [supervisor, '0']);
      assert.equal((await status(box)).modules[0]?.restarts, 1);
    } finally {
      await box.stop();
    }
  });

  test('where the supervisor cannot end a thread that hangs, systemd starts all of it again', async () => {
    const box = await bootService(nbrpc, { dropIn: 'WatchdogSec=6s' });
    try {
      await start(box);
      const pid = await property(box, 'MainPID');
      const holding = await hold(box);
      await restartedBySystemd(box, pid, ['nbrpc running']);
      assert.match(
        await said(box),
        /nbrpc was killed and does not end: it hangs: no answer for 1m 30s.*Watchdog timeout/s,
      );
      holding.kill('SIGKILL');
    } finally {
      await box.stop();
    }
  });

  test('where a start hangs and the supervisor cannot end it, systemd does before it was ever ready, and tries again', async () => {
    // It outlives TimeoutStartSec, since it asks for more time as long as it is fit.
    const dropIn = 'WatchdogSec=6s\nTimeoutStartSec=20s';
    const box = await bootService(`${nbrpc}agent = "${silence}"\n`, { dropIn });
    try {
      const listening = box.spawn(['/usr/bin/python3', '-c', silent, silence]);
      await eventually('it listens', () => listening.stdout().includes('listening'), { details: listening.stderr });
      await box.run(['systemctl', 'start', '--no-block', unit]);
      await eventually('it has a process', async () => (await property(box, 'MainPID')) !== '0');
      const holding = await hold(box);
      await eventually('systemd tries again', async () => (await property(box, 'NRestarts')) === '1', { seconds });
      const what = 'nbrpc was killed and does not end: it hangs in its start: no answer for 1m 30s';
      assert.match(await said(box), new RegExp(`${what}.*Watchdog timeout`, 's'));
      holding.kill('SIGKILL');
    } finally {
      await box.stop();
    }
  });

  test('the supervisor itself is started again by systemd, with all of its modules', async () => {
    const box = await bootService(nbrpc + cgroupNft, { dropIn: 'WatchdogSec=6s' });
    try {
      await start(box);
      const [pid, module] = [await property(box, 'MainPID'), await cgroupNftPid(box)];
      await box.run(['kill', '-STOP', pid]);
      await restartedBySystemd(box, pid, ['nbrpc running', 'cgroup-nft running']);
      assert.notEqual(await cgroupNftPid(box), module);
      assert.equal((await box.exec(['kill', '-0', module])).code, 1, 'the old one is gone');
    } finally {
      await box.stop();
    }
  });
});
