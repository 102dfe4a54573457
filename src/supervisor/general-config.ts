/** The tables of the configuration that belong to no module: [log] and [control]. */
import * as v from 'valibot';
import { defaultControlSocket } from './defaults.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export const logFormats = ['auto', 'pretty', 'json', 'journal'] as const;

// sun_path of unix(7) holds 108 bytes with the closing NUL.
const longestSocketPath = 107;

const oneOf = <const Values extends readonly string[]>(values: Values) =>
  v.picklist(values, `must be one of ${values.map((value) => `"${value}"`).join(', ')}`);

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
  },
  'must be a table',
);

export type GeneralConfig = v.InferOutput<typeof generalSchema>;
export type LogSettings = GeneralConfig['log'];
