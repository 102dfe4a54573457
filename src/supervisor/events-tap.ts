/** The log with an ear on it: what is written goes on as it was, and whoever listens hears each line. */
import type { LogFields, Logger, LogLevel } from '../core/log.ts';

/** Hears every line, of every level. What it throws does not reach the one who logged. */
export type HearLine = (line: string, fields: LogFields) => void;

/** `bound`: what `child()` has put into every line so far. */
export function tappedLog(log: Logger, hear: HearLine, bound: LogFields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (line: string, fields: LogFields = {}): void => {
      log[level](line, fields);
      try {
        hear(line, { ...bound, ...fields });
      } catch (error) {
        log.error('event-not-kept', { line, error });
      }
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => tappedLog(log.child(fields), hear, { ...bound, ...fields }),
  };
}
