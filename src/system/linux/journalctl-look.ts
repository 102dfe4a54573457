/** One look into the journal: may this process read what systemd itself wrote there? */
import { execFile } from 'node:child_process';
import { errnoOf } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { journalTrouble } from './journalctl-entries.ts';

/** Milliseconds; the first look at a large journal that is not in memory takes its time. */
const timeLimit = 10_000;

/** For people; undefined where all is well. Never rejects. */
export function journalProblem(command = 'journalctl'): Promise<string | undefined> {
  const args = ['--no-pager', '--boot', '--lines=1', '--output=cat', 'SYSLOG_IDENTIFIER=systemd'];
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile(command, args, { env, cwd: '/', timeout: timeLimit, encoding: 'utf8' }, (error, _, said) => {
      const trouble = journalTrouble(said);
      if (trouble !== undefined || error === null) resolve(trouble);
      else if (errnoOf(error) === 'ENOENT') resolve(`${command} is not installed`);
      else resolve(printable(said.trim().split('\n').at(-1) || error.message));
    });
  });
}
