/** The end of a server in good order: what it has read from its socket is worked off first. */
import { type Clock, sleep } from '../core/clock.ts';

/** Milliseconds. A full queue of forgeries takes half a second; a command that takes longer is made up for at the next start. */
const patience = 2000;
const pause = 10;

/** Resolves when nothing is left to do, at the latest after two seconds. It gets no more packets. */
export async function drained(server: { readonly busy: boolean }, clock: Clock): Promise<void> {
  const end = clock.monotonic() + patience;
  while (server.busy && clock.monotonic() < end) await sleep(clock, pause);
}
