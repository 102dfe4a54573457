/** GET /api/live: who watches, and what each is sent (HTML Standard, "Server-sent events"); who is too slow is dropped. */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../core/clock.ts';
import { visibleJson } from '../../core/printable.ts';

/** At a time. Tabs of browsers are forgotten, and each costs a connection. */
export const mostWatchers = 16;
/** Bytes that may wait for one watcher, beside its first picture. */
export const mostBehind = 1_000_000;
/** Milliseconds: less than what proxies and NAT take for dead. */
export const heartbeat = 20_000;

export class Watchers {
  readonly #clock: Clock;
  /** The first watcher has come, or the last has gone. */
  readonly #onChange: (watched: boolean) => void;
  readonly #all = new Map<ServerResponse, number>();
  #beat: Timer | undefined;

  constructor(clock: Clock, onChange: (watched: boolean) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get count(): number {
    return this.#all.size;
  }

  get full(): boolean {
    return this.#all.size >= mostWatchers;
  }

  /** Takes the response over, whose head was written; `first` is what it is sent at once. */
  add(response: ServerResponse, first: string): void {
    this.#all.set(response, Buffer.byteLength(first) + mostBehind);
    response.on('close', () => this.#remove(response));
    // A browser calls the connection open when the head is there, which may be long before the first message.
    response.flushHeaders();
    if (first !== '') response.write(first);
    if (this.#all.size === 1) {
      this.#onChange(true);
      this.#armBeat();
    }
  }

  send(name: 'state' | 'event' | 'problem', data: unknown): void {
    this.#write(message(name, data));
  }

  close(): void {
    for (const response of this.#all.keys()) response.destroy();
  }

  #write(text: string): void {
    for (const [response, allowed] of this.#all) {
      response.write(text);
      if (response.writableLength > allowed) response.destroy();
    }
  }

  #remove(response: ServerResponse): void {
    if (!this.#all.delete(response) || this.#all.size > 0) return;
    this.#beat?.cancel();
    this.#onChange(false);
  }

  #armBeat(): void {
    this.#beat?.cancel();
    this.#beat = this.#clock.after(heartbeat, () => {
      this.#write(': still here\n\n');
      this.#armBeat();
    });
  }
}

/** JSON has no line feeds of its own: one `data` line is enough. */
export function message(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${visibleJson(JSON.stringify(data))}\n\n`;
}
