/** The log of a module that runs elsewhere: its lines go to the supervisor, which writes them beside its own. */
import { NetstewardError } from '../core/errors.ts';
import type { LogFields, Logger, LogLevel } from '../core/log.ts';
import type { LogLine, PlainError } from './remote-protocol.ts';

export function remoteLog(write: (line: LogLine) => void, bound: LogFields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void =>
      write({ level, event, fields: portable({ ...bound, ...fields }) });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => remoteLog(write, { ...bound, ...fields }),
  };
}

/** Structured clones of errors lose code and remedy. */
function portable(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? plainErrorOf(value) : value]),
  );
}

/** Any thrown value as data. */
export function plainErrorOf(error: unknown): PlainError {
  if (error instanceof NetstewardError) {
    const { code, message, remedy } = error;
    return { code, message, ...(remedy === undefined ? {} : { remedy }) };
  }
  if (!(error instanceof Error)) return { message: String(error) };
  return { message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
}
