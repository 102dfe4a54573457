/** Waiting in a test for what happens elsewhere: in a container, in another process, in the kernel. */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Calls `look` until it gives something but undefined or false, ever less often; fails after `seconds`, with `details`.
 * The limit is there to name what never came, not to measure: a busy machine must not reach it.
 */
export async function eventually<Found>(
  what: string,
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
  { seconds = 60, details = (): string => '' } = {},
): Promise<Found> {
  const start = Date.now();
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    const passed = Date.now() - start;
    if (passed > seconds * 1000) assert.fail(`in ${seconds} s never: ${what}\n${details()}`);
    // Looks are processes often, and what is waited for needs the processor too.
    await wait(Math.min(100, 5 + passed / 10));
  }
}
