/** A line of the state log as it is written (pure). */
import { printable } from '../core/printable.ts';
import type { LogLine } from './state-log-lines.ts';

/** With its end. `at`: seconds since the epoch. */
export function formatLogLine(at: number, entry: LogLine): string {
  const stamp = new Date(at * 1000).toISOString().slice(0, 19);
  return `${stamp}Z ${printable(summary(entry))}\t${JSON.stringify(entry)}\n`;
}

function summary(entry: LogLine): string {
  switch (entry.kind) {
    case 'settings':
      return 'settings';
    case 'state':
      return `${entry.record.name} is ${entry.record.state ?? 'unknown'}${because(entry.record.reason)}`;
    case 'inputs': {
      const { listed, removed, resolved, checked } = entry;
      const parts = [
        [listed.length, 'listed'],
        [removed.length, 'removed'],
        [resolved.length, 'resolved'],
        [checked.length, 'checked'],
      ] as const;
      const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
      return `pass: ${told.join(', ')}`;
    }
    case 'host':
      return `${entry.host}: ${entry.from ?? 'unknown'} -> ${entry.to ?? 'unknown'}${because(entry.reason)}`;
    case 'address': {
      const word = (tri: boolean | null): string => (tri === null ? 'unknown' : tri ? 'ok' : 'na');
      return `${entry.host} ${entry.address}: ${word(entry.from)} -> ${word(entry.to)}${because(entry.reason)}`;
    }
  }
}

function because(reason: string): string {
  return reason === '' ? '' : ` (${reason})`;
}
