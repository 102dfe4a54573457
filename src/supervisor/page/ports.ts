/** What the status page needs of the system and of the supervisor. */
import type { Clock } from '../../core/clock.ts';
import type { NetstewardEvent } from '../../core/events.ts';
import type { Logger } from '../../core/log.ts';
import type { SqlRow } from '../../system/ports.ts';
import type { StatusReport } from '../status-report.ts';

/** The control socket, as the page uses it. What it rejects with is for people, and has a remedy where there is one. */
export interface PageControl {
  status(): Promise<StatusReport>;
  /** The newest, the oldest of them first. */
  events(limit: number): Promise<readonly NetstewardEvent[]>;
  /** Those to come, until the signal or until the service ends; throws then, but not for the signal. */
  follow(signal: AbortSignal): AsyncIterable<NetstewardEvent>;
  /** As Supervisor.command(). */
  command(module: string, name: string, argument: string): Promise<string>;
}

/** A connection of its own to the history's file, which can only read. */
export interface HistoryReader {
  /** Throws SQLite's errors. */
  all(text: string, parameters: readonly (string | number)[]): readonly SqlRow[];
  /** False once the file was removed or replaced. */
  inPlace(): boolean;
  close(): void;
}

/** One file of the page. */
export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Throws a Node system error where there is no such file, SQLite's own where it is damaged. */
export type OpenHistory = (file: string) => HistoryReader;

export interface PageFiles {
  /** By path, such as `/page.js`; `/` is the page itself. Empty: this netsteward was built without it. */
  assets(): Promise<ReadonlyMap<string, Asset>>;
  /** The file's text and mode. Rejects with a Node system error. */
  readSecret(path: string): Promise<{ readonly text: string; readonly mode: number }>;
  /** The group's number; undefined: there is none of this name. */
  groupId(name: string): Promise<number | undefined>;
}

export interface PageHost extends PageFiles {
  readonly clock: Clock;
  readonly log: Logger;
  readonly openHistory: OpenHistory;
  openControl(socket: string): PageControl;
}
