/** What a module's process or thread writes for people, as lines for the log: not too many, not too long. */
import type { Readable } from 'node:stream';
import { printable } from '../../core/printable.ts';

/** Of one piece of output; a stack has about ten. */
const mostLines = 20;
const longestLine = 500;

/** Reads the stream to its end. */
export function relayComplaints(stream: Readable, complain: (line: string) => void): void {
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (text: string) => {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    for (const line of lines.slice(0, mostLines)) complain(printable(line.slice(0, longestLine)));
    if (lines.length > mostLines) complain(`(${lines.length - mostLines} more lines)`);
  });
}
