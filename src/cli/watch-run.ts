/** One run of `netsteward watch`: asks, draws, waits. */
import { sleep, systemClock, type Timer } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { NetstewardEvent } from '../core/events.ts';
import type { StatusReport } from '../supervisor/status-report.ts';
import { askControl } from './control-client.ts';
import { statusOf } from './control-shapes.ts';
import { controlEvents } from './events-stream.ts';
import { eventLine } from './events-view.ts';
import { print } from './output.ts';
import { renderStatus } from './status-view.ts';
import { watchFrame } from './watch-view.ts';

/** Milliseconds. */
const interval = 2000;
const patience = 10_000;
const drawDelay = 50;
/** Events that are remembered for the bottom of the screen. */
const remembered = 50;

// ECMA-48 and xterm's "ctlseqs": alternate screen and cursor, home, rest of the line, rest of the screen.
const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** Until SIGINT or SIGTERM. Without a terminal it rejects as `netsteward events --follow` does. */
export async function watch(socket: string): Promise<void> {
  if (process.stdout.isTTY !== true) return plain(socket);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const events: NetstewardEvent[] = [];
  const board: { report?: StatusReport; problem?: string } = {};
  const draw = (): void => {
    const { columns, rows } = process.stdout;
    const screen = { columns: columns || 80, rows: rows || 24 };
    const lines = watchFrame(board.report, board.problem, events, screen);
    process.stdout.write(`${home}${lines.map((line) => `${line}${clearLine}`).join('\r\n')}${clearBelow}`);
  };
  let soon: Timer | undefined;
  // A hundred events at once are drawn once.
  const drawSoon = (): void => {
    soon ??= systemClock.after(drawDelay, () => {
      soon = undefined;
      if (!stop.signal.aborted) draw();
    });
  };
  process.stdout.write(enter);
  // Whatever ends the process: the terminal is to be as it was.
  process.on('exit', () => process.stdout.write(leave));
  process.stdout.on('resize', draw);
  void followEvents(socket, events, drawSoon, stop.signal);
  while (!stop.signal.aborted) {
    try {
      board.report = await ask(socket);
      delete board.problem;
    } catch (error) {
      board.problem = describeError(error);
      delete board.report;
    }
    if (stop.signal.aborted) break;
    draw();
    await sleep(systemClock, interval, stop.signal).catch(() => undefined);
  }
  soon?.cancel();
  process.stdout.off('resize', draw);
}

async function ask(socket: string): Promise<StatusReport> {
  return statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: patience }));
}

async function followEvents(
  socket: string,
  events: NetstewardEvent[],
  draw: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      events.length = 0;
      for await (const event of controlEvents({ socket, limit: remembered, follow: true, signal })) {
        events.push(event);
        if (events.length > remembered) events.shift();
        draw();
      }
    } catch {
      // The status, which is asked for all the time, says what is wrong.
    }
    await sleep(systemClock, interval, signal).catch(() => undefined);
  }
}

/** For a pipe or a file: nothing is ever drawn over. */
async function plain(socket: string): Promise<void> {
  print(renderStatus(await ask(socket)));
  for await (const event of controlEvents({ socket, limit: 0, follow: true })) print(`${eventLine(event)}\n`);
}
