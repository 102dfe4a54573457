/** Standard output and error of the commands: whatever is in the text, the terminal only sees text. */
import { printableJson, printableLines } from '../core/printable.ts';

/** Writes to standard output; adds no line feed. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Writes to standard error; adds no line feed. */
export function printError(text: string): void {
  process.stderr.write(printableLines(text));
}

/** Makes `netsteward … | head` end quietly: a reader that has gone is no error (EPIPE, pipe(7)). */
export function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

/** Writes JSON to standard output, with a line feed. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
}
