/** What `netsteward watch` shows at one moment (pure): the status, cut to the terminal, and the newest events below it. */
import type { NetstewardEvent } from '../core/events.ts';
import { printable } from '../core/printable.ts';
import type { StatusReport } from '../supervisor/status-report.ts';
import { eventLine } from './events-view.ts';
import { renderStatus } from './status-view.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** Rows at the bottom: a heading, and the newest events; they give way to the status on a low screen. */
const eventRows = 7;
const mostWarnings = 5;

/**
 * At most `rows` lines of at most `columns` characters. `report` is undefined while netsteward does not answer, which
 * `problem` explains.
 */
export function watchFrame(
  report: StatusReport | undefined,
  problem: string | undefined,
  events: readonly NetstewardEvent[],
  { columns, rows }: Screen,
): readonly string[] {
  const top = [...(problem === undefined ? [] : [problem, '']), ...(report === undefined ? [] : statusLines(report))];
  const forEvents = rows < 2 * eventRows ? 0 : eventRows;
  const shown = forEvents === 0 ? [] : events.slice(1 - forEvents);
  const bottom = shown.length === 0 ? [] : ['Newest events:', ...shown.map(eventLine)];
  const room = Math.max(1, rows - bottom.length - (bottom.length === 0 ? 0 : 1));
  const cutTop =
    top.length <= room ? top : [...top.slice(0, room - 1), `… ${top.length - room + 1} more lines: netsteward status`];
  const blank = bottom.length === 0 ? [] : [''];
  return [...cutTop, ...blank, ...bottom].slice(0, rows).map((line) => cut(line, columns));
}

/** The warnings come first: what stands at the end may not find room. */
function statusLines(report: StatusReport): readonly string[] {
  const [head = '', ...rest] = renderStatus({ ...report, warnings: [] })
    .trimEnd()
    .split('\n');
  const { warnings } = report;
  const shown = warnings.slice(0, mostWarnings).map(({ severity, text }) => printable(`${severity}: ${text}`));
  const more = warnings.length - shown.length;
  return [head, ...shown, ...(more > 0 ? [`… ${more} more warnings: netsteward status`] : []), ...rest];
}

/** Wide characters (East Asian, emoji) take two columns (Unicode UAX #11); what a terminal makes of rarer ones is its own. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const zero = /\p{M}/u;

/** The line, or as much of it as fits with an ellipsis at its end. */
export function cut(line: string, columns: number): string {
  let used = 0;
  let fitting = '';
  for (const character of line) {
    const width = zero.test(character) ? 0 : wide.test(character) ? 2 : 1;
    used += width;
    if (used > columns) return `${fitting}…`;
    if (used < columns) fitting += character;
  }
  return line;
}
