/** The table [page]: where the status page listens, who may read it, and with which token somebody may ask for a check. */
import * as v from 'valibot';
import type { ConfigTable, Parsed } from '../../core/module.ts';
import { parseWith } from '../../core/schema.ts';
import type { GeneralConfig } from '../general-config.ts';
import { type Binding, isLocal, longestPath, parseBinding } from './binding.ts';

export const defaultListen = 'unix:/run/netsteward/page.sock';

const listen = v.pipe(
  v.string('must be a text, such as "unix:/run/netsteward/page.sock" or "127.0.0.1:8053"'),
  v.rawTransform<string, Binding>(({ dataset, addIssue, NEVER }) => {
    const binding = parseBinding(dataset.value);
    if (binding !== undefined) return binding;
    addIssue({
      message:
        'must be "unix:" and an absolute path of at most ' +
        `${longestPath} bytes, or an address with a port, such as "127.0.0.1:8053" or "[::1]:8053"`,
    });
    return NEVER;
  }),
);

const schema = v.pipe(
  v.strictObject(
    {
      listen: v.optional(listen, defaultListen),
      allow_remote: v.optional(v.boolean('must be true or false'), false),
      token_file: v.optional(
        v.pipe(
          v.string('must be a path'),
          v.startsWith('/', 'must not be empty'),
          v.check((path) => !path.includes('\0'), 'must not contain a NUL character'),
        ),
      ),
      mode: v.optional(
        v.pipe(
          v.string('must be an octal number in quotes, such as "0660"'),
          v.regex(/^0?[0-7]{3}$/, 'must be an octal number in quotes, such as "0660"'),
          v.transform((text) => Number.parseInt(text, 8)),
          v.check((mode) => (mode & 0o600) === 0o600, 'must let the owner read and write'),
        ),
        '0660',
      ),
      group: v.optional(
        v.pipe(v.string('must be the name of a group'), v.regex(/^[\w.][\w.-]*$/, 'must be the name of a group')),
      ),
    },
    'must be a table',
  ),
  v.forward(
    v.partialCheck(
      [['listen'], ['allow_remote']],
      ({ listen: binding, allow_remote: remote }) => remote || isLocal(binding),
      'can be reached from other machines: name a loopback address or a unix socket, or set allow_remote = true ' +
        'and a token_file',
    ),
    ['listen'],
  ),
  v.forward(
    v.partialCheck(
      [['listen'], ['token_file']],
      ({ listen: binding, token_file: file }) => isLocal(binding) || file !== undefined,
      'is needed where other machines can reach the page: nothing is shown to who does not have the token',
    ),
    ['token_file'],
  ),
);

/** What belongs to no module and the page needs all the same. */
export interface PageService {
  readonly socket: string;
  /** Undefined: the history is off. */
  readonly history: string | undefined;
}

export type PageConfig = v.InferOutput<typeof schema> & {
  /** Undefined only before the whole configuration is known. */
  readonly service?: PageService;
};

export function parsePage(table: ConfigTable): Parsed<PageConfig> {
  return parseWith(schema, table);
}

/** With what the page needs of the other tables: so a reload that changes them reaches it too. */
export function withService(config: unknown, { control, history }: GeneralConfig): PageConfig {
  const service: PageService = { socket: control.socket, history: history.off ? undefined : history.file };
  return { ...(config as PageConfig), service };
}
