/** Real-time scheduling of the calling thread: it runs before all that has none, whatever their nice values and sessions (sched(7)). */
import koffi from 'koffi';

// linux/sched.h, asm-generic/errno-base.h, asm-generic/resource.h.
const SCHED_OTHER = 0;
const SCHED_RR = 2;
const SCHED_RESET_ON_FORK = 0x4000_0000;
const EPERM = 1;
const RLIMIT_RTTIME = 15;

/** Microseconds of CPU time in one go, after which the kernel ends a real-time process that has gone astray. */
const longest = 20_000_000n;

const libc = koffi.load(null);
const schedule = libc.func('int sched_setscheduler(int pid, int policy, const int *param)');
const limit = libc.func('int setrlimit(int resource, const uint64_t *limits)');

/**
 * The lowest of the real-time priorities, and for no child. Gives why it was refused: without CAP_SYS_NICE or LimitRTPRIO=, with
 * RestrictRealtime=, or in a cgroup of the cpu controller under CONFIG_RT_GROUP_SCHED.
 */
export function takeRealtime(): string | undefined {
  limit(RLIMIT_RTTIME, [longest, longest]);
  return become(SCHED_RR, 1);
}

/**
 * Back among all others. The nice value counts again. The flag stays: without CAP_SYS_NICE, as with LimitRTPRIO= alone, taking it
 * away is refused (user_check_sched_setscheduler(), kernel/sched/syscalls.c), and all else with it. With the flag the next program or
 * thread that this one starts begins with nice value 0 where this one's is below ("Resetting scheduling policy"). Gives why it was
 * refused.
 */
export function leaveRealtime(): string | undefined {
  return become(SCHED_OTHER, 0);
}

function become(policy: number, priority: number): string | undefined {
  if (schedule(0, policy | SCHED_RESET_ON_FORK, [priority]) === 0) return undefined;
  const code = koffi.errno();
  return code === EPERM ? 'operation not permitted' : `sched_setscheduler failed (errno ${code})`;
}
