/** How a command that failed ends: what it says, and its exit code. */
import { DiagnosticError } from '../core/diagnostic.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';

const codesOf: Readonly<Record<string, ExitCode>> = {
  'config-invalid': exitCodes.config,
  'config-unreadable': exitCodes.config,
  usage: exitCodes.usage,
};

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof NetstewardError ? (codesOf[error.code] ?? exitCodes.failure) : exitCodes.failure;
}

/** Text for standard error, with a line feed at its end. Only what nobody foresaw comes with a stack. */
export function failureText(error: unknown): string {
  if (error instanceof NetstewardError) {
    const remedy = error.remedy === undefined ? '' : `${error.remedy}\n`;
    // Diagnostics begin with their place already.
    return error instanceof DiagnosticError ? `${error.message}\n${remedy}` : `netsteward: ${error.message}\n${remedy}`;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `netsteward: unexpected error: ${text}\n`;
}
