/** Waiting in a test for what happens in a container, with a limit. */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

/** Calls `look` every 20 ms until it gives something but undefined or false; fails after `seconds`, with `details`. */
export async function eventually<Found>(
  what: string,
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
  { seconds = 20, details = (): string => '' } = {},
): Promise<Found> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) assert.fail(`in ${seconds} s never: ${what}\n${details()}`);
    await wait(20);
  }
}
