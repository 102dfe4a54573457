/** Gives up root for good: user, group and supplementary groups of this process. */
import { execFileSync } from 'node:child_process';
import { describeError, NetstewardError } from '../core/errors.ts';

/** `uid[:gid]`, numbers or names. Without a group: that of the user. Throws NetstewardError `user-not-taken`. */
export function giveUpRoot(text: string): void {
  const [user = '', group] = text.split(':', 2);
  const { setgroups, setgid, setuid } = process;
  // @types/node lacks it (Node's documentation of process has it since 0.9.4).
  const { initgroups } = process as { initgroups?: (user: string, group: string | number) => void };
  if (initgroups === undefined || setgroups === undefined || setgid === undefined || setuid === undefined) {
    throw new NetstewardError('user-not-taken', 'this platform has no users to change to');
  }
  const idOf = (word: string): string | number => (/^\d+$/.test(word) ? Number(word) : word);
  try {
    if (user === '') throw new Error('no user is named');
    const chosen = group ? idOf(group) : primaryGroup(user);
    // Of a user by number nobody says which groups are its own: it keeps none of root's.
    if (group || /^\d+$/.test(user)) setgroups([chosen]);
    else initgroups(user, chosen);
    setgid(chosen);
    setuid(idOf(user));
  } catch (error) {
    throw new NetstewardError('user-not-taken', `cannot become ${text}: ${describeError(error)}`, {
      remedy: 'Start it as root, and name a user that exists, as user or user:group.',
      cause: error,
    });
  }
  if (process.getuid?.() === 0 && user !== 'root' && user !== '0') {
    throw new NetstewardError('user-not-taken', `cannot become ${text}: still root`);
  }
}

/** Of the user database, whatever it is kept in (nsswitch.conf(5)); a number that it does not know is its own group. */
function primaryGroup(user: string): number {
  try {
    return Number(execFileSync('id', ['-g', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim());
  } catch {
    if (/^\d+$/.test(user)) return Number(user);
    throw new Error('there is no such user');
  }
}
