/** The tables of the configuration that belong to no module: [log], [control], [history] and [supervisor]. */
import * as v from 'valibot';
import { moduleNames } from '../core/module.ts';
import { duration } from '../core/schema.ts';
import { defaultControlSocket, defaultHistory } from './defaults.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export const logFormats = ['auto', 'pretty', 'json', 'journal'] as const;

// sun_path of unix(7) holds 108 bytes with the closing NUL.
const longestSocketPath = 107;

const oneOf = <const Values extends readonly string[]>(values: Values) =>
  v.picklist(values, `must be one of ${values.map((value) => `"${value}"`).join(', ')}`);

const day = 86_400_000;
const units: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 };

/** A size in bytes, written as `"50MB"`; `least` in bytes. */
const size = (least: number, most: number) =>
  v.pipe(
    v.string('must be a size in quotes, such as "50MB"'),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const match = /^\s*(\d+(?:\.\d+)?)\s*([kMG]B)\s*$/.exec(dataset.value);
      const bytes = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? Number.NaN);
      if (bytes >= least && bytes <= most) return Math.round(bytes);
      addIssue({ message: `must be a size from ${least / 1e6}MB to ${most / 1e9}GB, such as "50MB"` });
      return NEVER;
    }),
  );

const historySchema = v.strictObject(
  {
    off: v.optional(v.boolean('must be true or false'), false),
    file: v.optional(
      v.pipe(
        v.string('must be a path'),
        v.startsWith('/', 'must not be empty'),
        v.check((path) => !path.includes('\0'), 'must not contain a NUL character'),
      ),
      defaultHistory,
    ),
    max_age: v.optional(duration(3_600_000, 3650 * day), '30d'),
    max_size: v.optional(size(5e6, 1e11), '50MB'),
  },
  'must be a table',
);

/** `max_age` in milliseconds, `max_size` in bytes. */
export type HistoryConfig = v.InferOutput<typeof historySchema>;

export const generalSchema = v.strictObject(
  {
    log: v.optional(
      v.strictObject(
        { level: v.optional(oneOf(logLevels), 'info'), format: v.optional(oneOf(logFormats), 'auto') },
        'must be a table',
      ),
      {},
    ),
    control: v.optional(
      v.strictObject(
        {
          socket: v.optional(
            v.pipe(
              v.string('must be the path of a socket, in quotes'),
              v.startsWith('/', 'must not be empty'),
              v.check((path) => !path.includes('\0'), 'must not contain a NUL character'),
              v.check(
                (path) => Buffer.byteLength(path) <= longestSocketPath,
                `must be at most ${longestSocketPath} bytes long (unix(7))`,
              ),
            ),
            defaultControlSocket,
          ),
        },
        'must be a table',
      ),
      {},
    ),
    history: v.optional(historySchema, {}),
    supervisor: v.optional(
      v.strictObject(
        { must_start: v.optional(v.array(oneOf(moduleNames), 'must be a list of modules, such as ["nbrpc"]'), []) },
        'must be a table',
      ),
      {},
    ),
  },
  'must be a table',
);

export type GeneralConfig = v.InferOutput<typeof generalSchema>;
export type LogSettings = GeneralConfig['log'];
