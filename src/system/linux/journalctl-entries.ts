/** What journalctl is asked for, what it answers, and what it complains of (pure; journalctl(1), systemd.journal-fields(7)). */
import type { UnitJob } from '../unit-ports.ts';
import { BoundedLines } from './nft-lines.ts';

/** Where in the journal to begin. */
export type JournalPlace =
  /** At an entry, that one included: where it is gone, at the next (`--after-cursor` would then leave out one more). */
  | { readonly cursor: string }
  /** Wall clock, microseconds since the epoch. */
  | { readonly since: number };

const wanted = ['UNIT', 'USER_UNIT', '_SYSTEMD_UNIT', '_SYSTEMD_USER_UNIT'];

/**
 * Entries about jobs that systemd itself wrote. Matches of different fields must all hold, `+` stands between alternatives;
 * there are no brackets, so the two ORs become four alternatives.
 */
const matches = ['_SYSTEMD_UNIT=init.scope', '_SYSTEMD_USER_UNIT=init.scope']
  .flatMap((writer) => ['JOB_RESULT=done', 'JOB_TYPE=start'].map((job) => ['SYSLOG_IDENTIFIER=systemd', writer, job]))
  .flatMap((alternative, index) => (index === 0 ? alternative : ['+', ...alternative]));

/** A run that shows no entry, but complains of what it may not read, and ends. */
export const checkArguments: readonly string[] = ['--lines=0', '--no-pager', '--output=short'];

/** Without `--system` or `--user` it reads the journals of the system and of all users, as far as it may. */
export function followArguments(place: JournalPlace): readonly string[] {
  return [
    ...['--follow', '--no-tail', '--no-pager', '--boot', '--output=json', `--output-fields=${wanted.join()}`],
    'cursor' in place ? `--cursor=${place.cursor}` : `--since=@${(place.since / 1e6).toFixed(6)}`,
    ...matches,
  ];
}

export interface JournalEntry {
  readonly cursor: string;
  /** Wall clock, microseconds since the epoch. */
  readonly at: number;
  /** Undefined where it names no unit in the way systemd does. */
  readonly job: UnitJob | undefined;
}

/** One line of `--output=json`; undefined where it is no entry. */
export function parseEntry(line: string): JournalEntry | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { __CURSOR: cursor, __REALTIME_TIMESTAMP: time } = fields as Record<string, unknown>;
  if (typeof cursor !== 'string' || typeof time !== 'string' || !/^\d{1,16}$/.test(time)) return undefined;
  const at = Number(time);
  return { cursor, at, job: jobOf(fields as Record<string, unknown>, at) };
}

/**
 * A user can put processes of his own into his manager's init.scope: such an entry is taken as that user's, whatever its UNIT.
 * A field that comes twice is an array, one that is no text an array of numbers, a long one null: systemd writes no such.
 */
function jobOf(fields: Readonly<Record<string, unknown>>, at: number): UnitJob | undefined {
  const user = fields._SYSTEMD_USER_UNIT === 'init.scope';
  if (!user && fields._SYSTEMD_UNIT !== 'init.scope') return undefined;
  const unit = user ? fields.USER_UNIT : fields.UNIT;
  return typeof unit === 'string' && isUnitName(unit) ? { unit, user, at } : undefined;
}

/** systemd.unit(5): 255 characters, these only, and an ending. */
export function isUnitName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9:_.\\@-]+\.[a-z]+$/.test(name);
}

/** Why journalctl cannot tell of any job, from what it wrote to stderr (in English: LC_ALL=C), for people; undefined where it says nothing of the kind. */
export function journalTrouble(said: string): string | undefined {
  if (/insufficient permissions|currently not seeing messages/.test(said)) {
    return "the system's journal may not be read: add the user to the group systemd-journal (SupplementaryGroups= of the unit)";
  }
  if (/No journal files were found/.test(said)) {
    return 'there is no journal: let journald run, with another Storage= than none (journald.conf(5))';
  }
  return undefined;
}

const longestLine = 64 * 1024;

/** The lines of a stream. One that is too long is passed over: whoever made it must not end the others. */
export class EntryLines {
  #lines = new BoundedLines(longestLine);
  #skipping = false;

  add(bytes: Buffer): readonly string[] {
    const found: string[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(10, start);
      const next = end === -1 ? bytes.length : end + 1;
      const lines = this.#skipping ? [] : this.#lines.add(bytes.subarray(start, next));
      if (lines === 'too-long') this.#lines = new BoundedLines(longestLine);
      else found.push(...lines);
      this.#skipping = end === -1 && (this.#skipping || lines === 'too-long');
      start = next;
    }
    return found;
  }
}
