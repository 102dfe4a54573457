/** The log as it leaves the process: pino's lines on standard error, in one of three looks. */
import { fstatSync } from 'node:fs';
import { destination, pino, stdTimeFunctions } from 'pino';
import { NetstewardError } from '../core/errors.ts';
import type { LogFields, Logger, LogLevel } from '../core/log.ts';
import { printableJson } from '../core/printable.ts';
import { type LogSettings, logLevels } from '../supervisor/general-config.ts';
import { journalLine, type LogLine, prettyLine } from './log-look.ts';

export interface LogOutput {
  readonly logger: Logger;
  /** Takes effect for the next line, of every child too. */
  configure(settings: LogSettings): void;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Look = (json: string) => string;

/** `write` gets whole lines; standard error where it is absent. */
export function openLog(env: Environment, write: (text: string) => void = standardError()): LogOutput {
  let look = lookOf('auto', env);
  let rank = logLevels.indexOf('info');
  const root = pino(
    {
      level: 'debug',
      base: null,
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json: string) => write(`${look(json.trimEnd())}\n`) },
  );
  const wrap = (target: pino.Logger): Logger => {
    const at = (level: LogLevel) => {
      const own = logLevels.indexOf(level);
      return (event: string, fields: LogFields = {}): void => {
        if (own >= rank) target[level](plainFields(fields), event);
      };
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => wrap(target.child(plainFields(fields))),
    };
  };
  return {
    logger: wrap(root),
    configure(settings) {
      rank = logLevels.indexOf(settings.level);
      look = lookOf(settings.format, env);
    },
  };
}

function standardError(): (text: string) => void {
  const stream = destination({ fd: 2, sync: true });
  // A terminal that was closed must not end the service.
  stream.on('error', () => undefined);
  return (text) => void stream.write(text);
}

function lookOf(format: LogSettings['format'], env: Environment): Look {
  const chosen = format === 'auto' ? (journalListens(env) ? 'journal' : 'pretty') : format;
  if (chosen === 'json') return printableJson;
  if (chosen === 'journal') return (json) => journalLine(JSON.parse(json) as LogLine);
  const colour = process.stderr.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return (json) => prettyLine(JSON.parse(json) as LogLine, colour);
}

/** $JOURNAL_STREAM names the device and inode of the journal's socket (systemd.exec(5)); a redirected stream is another one. */
function journalListens(env: Environment): boolean {
  if (!env.JOURNAL_STREAM) return false;
  try {
    const { dev, ino } = fstatSync(2, { bigint: true });
    return env.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** JSON would write an Error as `{}`. Foreseen errors need no stack. */
function plainFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      if (!(value instanceof Error)) return [key, value];
      if (value instanceof NetstewardError) return [key, { code: value.code, message: value.message }];
      return [key, { message: value.message, stack: value.stack }];
    }),
  );
}
