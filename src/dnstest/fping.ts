/** fping(8), the original's guard: whether it is there, and whether a host answers it. */
import { NetstewardError } from '../core/errors.ts';
import type { Commands } from '../system/ports.ts';

/** Milliseconds: `fping -v` asks nobody. */
const versionLimit = 10_000;
/**
 * Milliseconds that fping takes for a host that does not answer: 500 for the first of four tries (-t, -r 3), half as much again
 * for each further one (-B 1.5), which is 4.06 s, and its own start.
 */
const unhurried = 5000;
/** What four tries take, in first tries. */
const tries = 1 + 1.5 + 1.5 ** 2 + 1.5 ** 3;
/** Milliseconds for the program itself. */
const start = 300;

/** Undefined: it can be run; else why not. */
export async function missingFping(commands: Commands, signal: AbortSignal): Promise<string | undefined> {
  const found = await commands.run({ argv: ['fping', '-v'], timeout: versionLimit }, signal);
  return found.ok ? undefined : found.reason;
}

/** Rejects with NetstewardError `dnstest-fping`: one that is missing is told at the start, and not when it is needed. */
export async function expectFping(commands: Commands, signal: AbortSignal): Promise<void> {
  const missing = await missingFping(commands, signal);
  if (missing === undefined) return;
  throw new NetstewardError('dnstest-fping', `--ping needs fping: ${missing}`, {
    remedy: 'Install fping (Debian: apt install fping), or leave --ping out.',
  });
}

/**
 * fping ends with 0 when every host answered, with 1 when one did not, with 2 when one has no address. Anything else says
 * nothing, and is undefined: not installed, no right to raw sockets (3, 4), too late. `timeout`: milliseconds.
 */
export async function pinged(
  host: string,
  timeout: number,
  commands: Commands,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  // In a hurry its tries are shorter, so that it comes to its end before its time does.
  const first = Math.max(50, Math.floor((timeout - start) / tries));
  const hurry = timeout >= unhurried ? [] : ['-t', String(first)];
  const outcome = await commands.run({ argv: ['fping', '-q', ...hurry, '--', host], timeout }, signal);
  if (outcome.ok) return true;
  return outcome.code === 1 || outcome.code === 2 ? false : undefined;
}
