/** Lines of a module's log on their way to the supervisor: at once, but for bursts of debugging lines, which go together. */
//
// Each message wakes the supervisor and costs both sides some 0.1 ms, whatever is in it: of 500 units that start at once and end,
// each with two lines for the history, that was a seventh of all work.
import type { Clock, Timer } from '../core/clock.ts';
import type { LogLine, ModuleMessage } from './remote-protocol.ts';

/** Milliseconds that a debugging line may wait after lines that went: no event of the history is needed sooner. */
const longestWait = 50;
/** Lines that wait at most: a message must not become huge. */
const mostLines = 200;

export class LogBatch {
  readonly #clock: Clock;
  /** Throws where something cannot cross. */
  readonly #send: (message: ModuleMessage) => void;
  #lines: LogLine[] = [];
  /** When (monotonic) lines were sent last. */
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(clock: Clock, send: (message: ModuleMessage) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  add(line: LogLine): void {
    this.#lines.push(line);
    const wait = this.#sentAt + longestWait - this.#clock.monotonic();
    if (line.level !== 'debug' || wait <= 0 || this.#lines.length >= mostLines) this.flush();
    else this.#timer ??= this.#clock.after(wait, () => this.flush());
  }

  /** To be called before anything else is said: all arrives in the order in which it was said. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#sentAt = this.#clock.monotonic();
    try {
      this.#send({ type: 'log', lines });
    } catch {
      // A field that cannot cross must not cost the others' lines, nor the module.
      for (const line of lines) this.#sendAlone(line);
    }
  }

  #sendAlone(line: LogLine): void {
    try {
      this.#send({ type: 'log', lines: [line] });
    } catch {
      const fields = Object.fromEntries(Object.entries(line.fields).map(([key, value]) => [key, String(value)]));
      this.#send({ type: 'log', lines: [{ ...line, fields }] });
    }
  }
}
