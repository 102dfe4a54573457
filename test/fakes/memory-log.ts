/** A logger that keeps its lines for a test to look at. */
import type { LogFields, Logger, LogLevel } from '../../src/core/log.ts';

export interface MemoryLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class MemoryLog implements Logger {
  readonly lines: MemoryLine[];
  readonly #bound: LogFields;

  constructor(lines: MemoryLine[] = [], bound: LogFields = {}) {
    this.lines = lines;
    this.#bound = bound;
  }

  debug(event: string, fields?: LogFields): void {
    this.#add('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#add('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#add('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#add('error', event, fields);
  }

  child(fields: LogFields): MemoryLog {
    return new MemoryLog(this.lines, { ...this.#bound, ...fields });
  }

  /** The lines of one event. */
  of(event: string): MemoryLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  #add(level: LogLevel, event: string, fields: LogFields = {}): void {
    this.lines.push({ level, event, fields: { ...this.#bound, ...fields } });
  }
}
