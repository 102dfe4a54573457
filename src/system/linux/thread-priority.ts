/** The scheduling priority of the calling thread alone, among the threads of its session (sched(7), "The autogroup feature"). */
import { setPriority } from 'node:os';
import { systemReason } from './priority.ts';

// linux/sched.h
const SCHED_OTHER = 0;
const SCHED_RESET_ON_FORK = 0x4000_0000;

/**
 * `nice`: -20 (first) to 19 (last). Gives why it was refused, or undefined; a lower priority never is. Programs that the thread
 * starts have a lower one too, but not a higher one.
 */
export async function setThreadNice(nice: number): Promise<string | undefined> {
  if (nice < 0) {
    const refused = await keepFromChildren();
    if (refused !== undefined) return refused;
  }
  try {
    // Linux keeps it a thread, and process 0 is the one that calls (setpriority(2), "C library/kernel differences").
    setPriority(0, nice);
    return undefined;
  } catch (error) {
    return systemReason(error);
  }
}

/** The next program or thread begins with nice value 0 where this one's is below (sched(7), "Resetting scheduling policy"). */
async function keepFromChildren(): Promise<string | undefined> {
  try {
    const { default: koffi } = await import('koffi');
    const schedule = koffi.load(null).func('int sched_setscheduler(int pid, int policy, const int *param)');
    if (schedule(0, SCHED_OTHER | SCHED_RESET_ON_FORK, [0]) === 0) return undefined;
    return `sched_setscheduler failed (errno ${koffi.errno()})`;
  } catch {
    return 'the C library cannot be called';
  }
}
