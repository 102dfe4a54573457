/** The scheduling priority of this process: all of its threads, not just the one that asks. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * `nice`: -20 (first) to 19 (last). Gives why it was refused, or undefined. Linux keeps it a thread (setpriority(2), "C
 * library/kernel differences"), and V8's threads, which a collection of garbage waits for, have begun before any code of ours.
 */
export function setNice(nice: number): string | undefined {
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      setPriority(Number(thread), nice);
    } catch (error) {
      const reason = systemReason(error);
      // One that has ended meanwhile.
      if (reason !== 'no such process') return reason;
    }
  }
  setAutogroup(nice);
  return undefined;
}

/**
 * With autogroups, which most kernels have, a nice value counts among the processes of one session alone, and each service is
 * a session; the session has a nice value of its own (sched(7), "The autogroup feature"). It is set where this process is the
 * session's leader, as a service is, and a child with `detached`: what somebody starts in a shell must not change the shell's.
 */
function setAutogroup(nice: number): void {
  try {
    // proc(5), /proc/PID/stat: the session is the 6th field, the 4th after the name.
    const stat = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /s, '');
    if (Number(stat.split(' ')[3]) === process.pid) writeFileSync('/proc/self/autogroup', String(nice));
  } catch {
    // A kernel without, or one that limits how often this is done: the threads' own nice value is what there is then.
  }
}

/** Node tells the reason in `info`, under one code for all failures of the system. */
export function systemReason(error: unknown): string {
  const { info } = error as { readonly info?: { readonly message?: string } };
  return info?.message ?? String(error);
}
