/** Where the check lists name a host: file, line and token, as the files are now. */
import type { Files } from '../system/ports.ts';
import { largestList, parseToken, tokensOf } from './check-list.ts';
import type { ListPlace } from './explain.ts';
import type { StateView } from './state.ts';

/** In the order of the lists in force; within one list the last token counts. Never rejects: an unreadable file has no line. */
export async function listPlaces(files: Files, state: StateView, host: string): Promise<readonly ListPlace[]> {
  const lists = [...state.lists().values()]
    .filter(({ entries }) => entries.has(host))
    .sort((a, b) => a.position - b.position);
  return Promise.all(lists.map(({ path }) => placeIn(files, path, host)));
}

async function placeIn(files: Files, file: string, host: string): Promise<ListPlace> {
  const nowhere: ListPlace = { file, line: null, token: null };
  try {
    const stat = await files.stat(file);
    if (stat === undefined || stat.size > largestList) return nowhere;
    return placeOf((await files.read(file)).toString('utf8'), file, host) ?? nowhere;
  } catch {
    return nowhere;
  }
}

/** Undefined: the text does not name it. */
export function placeOf(text: string, file: string, host: string): ListPlace | undefined {
  let found: ListPlace | undefined;
  for (const { token, line } of tokensOf(text)) {
    // Most tokens of a long list are some other host's.
    if (!token.startsWith(host)) continue;
    const parsed = parseToken(token);
    if (parsed.ok && parsed.entry.host === host) found = { file, line, token };
  }
  return found;
}
