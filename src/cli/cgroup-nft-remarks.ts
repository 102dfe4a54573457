/** How `netsteward cgroup-nft check` shows what it found: place, message, and the line with a caret under the word (pure). */
import type { UnitStatement } from '../cgroup-nft/rule.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { formatDiagnostic } from '../core/diagnostic.ts';
import { printable } from '../core/printable.ts';

export type RemarkSeverity = 'error' | 'warning' | 'note';

export interface Remark extends Diagnostic {
  readonly severity: RemarkSeverity;
  /** Characters that are meant, from the column on (default: one), or all that follow in the line. */
  readonly width?: number | 'line';
}

/** Characters of a line that are shown. */
const widest = 140;
/** Characters before the caret that stay where a line is cut. */
const before = 60;

/** In the order of files and lines. `texts`: content of the files by path. */
export function renderRemarks(remarks: readonly Remark[], texts: ReadonlyMap<string, string>): string {
  const files = [...texts.keys()];
  const lines = new Map([...texts].map(([file, text]) => [file, text.replace(/^\ufeff/, '').split('\n')]));
  const sorted = [...remarks].sort(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
  return sorted.map((remark) => renderRemark(remark, lines.get(remark.file) ?? [])).join('');
}

function renderRemark({ severity, message, width = 1, ...rest }: Remark, lines: readonly string[]): string {
  const head = formatDiagnostic({ ...rest, message: `${severity}: ${message}` });
  const line = rest.line === undefined ? undefined : lines[rest.line - 1];
  if (line === undefined || rest.column === undefined) return `${head}\n`;
  return `${head}\n${excerpt(line, rest.column - 1, width).join('')}`;
}

/** Characters that a terminal would not show as one column each would move the caret: `?` stands for them. */
function plain(line: string): string {
  return line
    .trimEnd()
    .replaceAll('\t', ' ')
    .replace(/./gs, (each) => (printable(each) === each ? each : '?'));
}

function excerpt(line: string, column: number, width: number | 'line'): readonly string[] {
  const whole = plain(line);
  const from = whole.length > widest ? Math.max(0, Math.min(column - before, whole.length - widest)) : 0;
  const left = from > 0 ? '…' : '';
  const right = from + widest < whole.length ? '…' : '';
  const shown = left + whole.slice(from, from + widest) + right;
  const at = column - from + left.length;
  const room = Math.max(1, shown.length - right.length - at);
  const goesOn = / *\\$/.exec(whole)?.[0].length ?? 0;
  const carets = '^'.repeat(Math.max(1, Math.min(width === 'line' ? room - goesOn : width, room)));
  return [`    ${shown}\n`, `    ${' '.repeat(Math.max(0, at))}${carets}\n`];
}

/** `/etc/nftables.conf: 3 rules of 2 units, 1 warning` */
export function summaryLine(file: string, statements: readonly UnitStatement[], remarks: readonly Remark[]): string {
  const own = statements.filter(({ place }) => place.file === file);
  const units = new Set(own.map(({ unit }) => unit)).size;
  const found = remarks.filter((remark) => remark.file === file);
  const counts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const number = found.filter((remark) => remark.severity === severity).length;
    return number === 0 ? [] : [count(number, severity)];
  });
  const rules = own.length === 0 ? 'no rules of units' : `${count(own.length, 'rule')} of ${count(units, 'unit')}`;
  const errors = found.some(({ severity }) => severity === 'error');
  // Of a file with mistakes nothing is taken, so that its rules have not been counted.
  const what = errors && own.length === 0 ? [] : [rules];
  return `${file}: ${[...what, ...(counts.length === 0 ? ['fine'] : counts)].join(', ')}\n`;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
