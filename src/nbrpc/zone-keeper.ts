/** Keeps a zone file at what is known, and has its server reload it: only on change, never in the way of checks. */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { describeFileFailure } from '../core/file-failure.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { Commands, OutputFiles } from '../system/ports.ts';
import type { ZoneConfig } from './config.ts';
import type { Policy } from './policy-spec.ts';
import type { State } from './state.ts';
import { printZone } from './zone.ts';

export interface ZoneKeeperPorts {
  readonly files: OutputFiles;
  readonly commands: Commands;
  readonly clock: Clock;
  readonly board: WarningBoard;
  readonly log: Logger;
}

/** Milliseconds that a reload which is under way gets to end when netsteward does. */
const lastPatience = 5000;

/**
 * Beside the zone file there is `.NAME.loaded`, which says what its server has loaded last and by which command. So a reload
 * that was left undone, since netsteward was killed between file and command or since the command failed, is made up for
 * by the next start, and a start with nothing new leaves the server and its cache alone.
 */
export class ZoneKeeper {
  readonly #zone: ZoneConfig;
  readonly #ports: ZoneKeeperPorts;
  readonly #record: string;
  readonly #abort = new AbortController();
  /** What the file should hold; the newest one counts. */
  #wanted: string | undefined;
  /** What it holds; undefined: not known. */
  #written: string | undefined;
  /** Whether its server has loaded that; undefined: the record has to be asked. */
  #loaded: boolean | undefined;
  #closing = false;
  #running: Promise<void> | undefined;

  constructor(zone: ZoneConfig, ports: ZoneKeeperPorts) {
    this.#zone = zone;
    this.#ports = ports;
    this.#record = join(dirname(zone.file), `.${basename(zone.file)}.loaded`);
  }

  /** Asks for the file to hold this state's addresses. Does not wait. What failed before is tried again. */
  hold(state: State, fallback: Policy): void {
    const { format, spec } = this.#zone;
    // Chance would make a new file of each pass: where the order is to be any order, the one of this serial will do.
    const serial = Math.floor(this.#ports.clock.now() / 1000);
    this.#wanted = printZone(state, [spec], fallback, { format, random: chance(serial), serial });
    this.#start();
  }

  /** Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#closing = true;
    const timer = this.#ports.clock.after(lastPatience, () => this.#abort.abort());
    await this.#running;
    timer.cancel();
  }

  #start(): void {
    if (this.#running !== undefined || this.#closing) return;
    this.#running = this.#work().finally(() => (this.#running = undefined));
  }

  async #work(): Promise<void> {
    for (let wanted: string | undefined; wanted !== this.#wanted && !this.#closing; ) {
      wanted = this.#wanted ?? '';
      if (!(await this.#write(wanted)) || !(await this.#reload())) return;
    }
  }

  async #write(wanted: string): Promise<boolean> {
    const { files, board, log } = this.#ports;
    const { file } = this.#zone;
    try {
      this.#written ??= await files.read(file);
      if (this.#written === undefined || !sameZone(this.#written, wanted)) {
        await files.replace(file, wanted);
        this.#written = wanted;
        this.#loaded = false;
        log.info('zone-written', { file });
      }
      board.clear('zone-not-written', file);
      return true;
    } catch (error) {
      // Whatever is there now has to be looked at again.
      this.#written = undefined;
      this.#loaded = undefined;
      board.raise('zone-not-written', file, { file, reason: describeFileFailure(error) });
      return false;
    }
  }

  async #reload(): Promise<boolean> {
    const { commands, board, files } = this.#ports;
    const { file, reload, reload_timeout: timeout } = this.#zone;
    if (reload === undefined) return true;
    const mark = loadMark(reload, this.#written ?? '');
    this.#loaded ??= (await files.read(this.#record).catch(() => undefined)) === mark;
    if (this.#loaded) return true;
    const outcome = await commands.run({ argv: reload, timeout }, this.#abort.signal);
    if (!outcome.ok) {
      board.raise('zone-not-reloaded', file, { file, reason: outcome.reason });
      return false;
    }
    this.#loaded = true;
    board.clear('zone-not-reloaded', file);
    // Without a record the next start reloads once too often, which is no harm.
    await files.replace(this.#record, mark).catch(() => {});
    return true;
  }
}

function loadMark(reload: readonly string[], content: string): string {
  return `${createHash('sha256')
    .update(JSON.stringify([reload, content]))
    .digest('hex')}\n`;
}

/** Order is no content (hosts may be shuffled), nor is the serial number of a policy zone. */
function sameZone(a: string, b: string): boolean {
  const lines = (text: string): string =>
    text
      .split('\n')
      .filter((line) => !line.startsWith('@ SOA '))
      .sort()
      .join('\n');
  return a === b || lines(a) === lines(b);
}

/** Numbers from 0 to 1 that look like chance (mulberry32); only the order of addresses hangs on them. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
