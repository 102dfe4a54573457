/** The scheduling priority of the calling thread alone, among the threads of its session (sched(7), "The autogroup feature"). */
import { setPriority } from 'node:os';
import { systemReason } from './priority.ts';

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

/** The flag is a part of the scheduling policy, and this one is what every thread has to begin with. */
async function keepFromChildren(): Promise<string | undefined> {
  try {
    return (await import('./realtime.ts')).leaveRealtime();
  } catch {
    return 'the C library cannot be called';
  }
}
