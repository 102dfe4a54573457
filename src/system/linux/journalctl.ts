/** The journal through `journalctl --follow`: started again when it ends, from the entry that was told last. */
import { existsSync } from 'node:fs';
import { type Backoff, backoffDelay } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Journal, JournalListener } from '../unit-ports.ts';
import { onceMade } from './directory-made.ts';
import { checkArguments, EntryLines, followArguments, journalTrouble, parseEntry } from './journalctl-entries.ts';
import { type JournalctlEnd, JournalctlProcess } from './journalctl-process.ts';

export interface JournalctlOptions {
  readonly clock: Clock;
  /** The program; default: `journalctl`. */
  readonly command?: string;
  /** Where journald keeps what outlives a boot; default: `/var/log/journal`. */
  readonly persistent?: string;
}

const again: Backoff = { first: 250, most: 60_000 };
/** Where systemd is not installed, that seldom changes. */
const notInstalled: Backoff = { first: 60_000, most: 600_000 };
/** journalctl says nothing when all is well: when it has not ended after so many milliseconds, it is. */
const quietTime = 1000;

export class JournalctlJournal implements Journal {
  readonly #options: JournalctlOptions;

  constructor(options: JournalctlOptions) {
    this.#options = options;
  }

  follow(listener: JournalListener): { close(): Promise<void> } {
    return new Following(this.#options, listener);
  }
}

class Following {
  readonly #clock: Clock;
  readonly #command: string;
  readonly #persistent: string;
  readonly #listener: JournalListener;
  #process: JournalctlProcess | undefined;
  #folder: { close(): void } | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  /** The process was ended on purpose, to be started again at once. */
  #renewing = false;
  /** Of the last entry. */
  #cursor: string | undefined;
  #unit: string | undefined;
  /** Wall clock, microseconds: of that entry, or of the beginning. */
  #since: number;
  /** False where journalctl refused the cursor (its file was removed, or is damaged): then the time counts. */
  #seeksCursor = true;
  /** What was told last: '' stands for found(), text for lost(). */
  #told: string | undefined;
  #closed = false;

  constructor(options: JournalctlOptions, listener: JournalListener) {
    const { clock, command = 'journalctl', persistent = '/var/log/journal' } = options;
    this.#clock = clock;
    this.#command = command;
    this.#persistent = persistent;
    this.#listener = listener;
    this.#since = Math.floor(clock.now() * 1000);
    this.#check();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#folder?.close();
    this.#process?.kill();
    await this.#process?.ended;
  }

  /** With JSON for its output journalctl is silent about journals that it may not read: it is asked for that first. */
  #check(): void {
    this.#process = new JournalctlProcess(
      this.#command,
      checkArguments,
      () => undefined,
      (end) => {
        const trouble = journalTrouble(end.said);
        if (trouble !== undefined) this.#lost(trouble, again);
        else if (end.missing) this.#lost(end.reason, notInstalled);
        else if (!this.#closed) this.#follow();
      },
    );
  }

  #follow(): void {
    const cursor = this.#seeksCursor ? this.#cursor : undefined;
    const lines = new EntryLines();
    let told = false;
    this.#watchFolder();
    this.#timer = this.#clock.after(quietTime, () => this.#found());
    this.#process = new JournalctlProcess(
      this.#command,
      followArguments(cursor === undefined ? { since: this.#since } : { cursor }),
      (bytes) => {
        for (const line of lines.add(bytes)) told = this.#line(line) || told;
      },
      (end) => {
        if (cursor !== undefined && !told && (end.code ?? 0) !== 0) this.#seeksCursor = false;
        this.#over(end);
      },
    );
  }

  /** Whether it was an entry. */
  #line(line: string): boolean {
    const entry = this.#closed ? undefined : parseEntry(line);
    if (entry === undefined) return false;
    this.#found();
    // The place to begin at is the last entry. Its cursor is another one where journald copied it (journalctl --flush).
    const same = entry.at === this.#since && entry.job?.unit === this.#unit;
    this.#cursor = entry.cursor;
    this.#since = entry.at;
    this.#unit = entry.job?.unit;
    this.#seeksCursor = true;
    if (entry.job !== undefined && !same) this.#listener.job(entry.job);
    return true;
  }

  /**
   * journalctl watches the folders that are there when it starts. In one that is made later (Storage=auto in journald.conf(5))
   * it would see nothing for ever, however much journald writes there.
   */
  #watchFolder(): void {
    this.#folder?.close();
    this.#folder = undefined;
    if (existsSync(this.#persistent)) return;
    this.#folder = onceMade(this.#persistent, () => {
      this.#renewing = this.#process?.kill() ?? false;
    });
  }

  #over({ said, missing, reason }: JournalctlEnd): void {
    if (!this.#renewing) {
      this.#lost(journalTrouble(said) ?? reason, missing ? notInstalled : again);
      return;
    }
    this.#renewing = false;
    this.#timer?.cancel();
    if (!this.#closed) this.#follow();
  }

  #found(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#failures = 0;
    if (this.#told === '') return;
    this.#told = '';
    this.#listener.found();
  }

  #lost(reason: string, backoff: Backoff): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#folder?.close();
    this.#failures += 1;
    this.#timer = this.#clock.after(backoffDelay(this.#failures, backoff), () => this.#check());
    if (this.#told === reason) return;
    this.#told = reason;
    this.#listener.lost(reason);
  }
}
