/** The scheduling priority of this process: all of its threads, not just the one that asks. */
import { readdirSync } from 'node:fs';
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
  return undefined;
}

/** Node tells the reason in `info`, under one code for all failures of the system. */
function systemReason(error: unknown): string {
  const { info } = error as { readonly info?: { readonly message?: string } };
  return info?.message ?? String(error);
}
