/** What the update command is told in its environment (pure). */
import type { Change } from './publisher.ts';

/** Bytes; one string of the environment may have 128 KiB (MAX_ARG_STRLEN, execve(2)). */
const mostBytes = 100_000;

/**
 * `NETSTEWARD_ZONE`, `_NAME`, `_OLD_ADDRESS`, `_NEW_ADDRESS`, `_KEY_ID` of the newest change, `_NAMES` of all of them with
 * blanks between, and `_CHANGES` with a line `NAME OLD NEW KEY_ID` each. Names come from zone files in printable ASCII; those for
 * which there is no room are left out.
 */
export function factsOf(changes: readonly Change[]): Readonly<Record<string, string>> {
  const last = changes.at(-1);
  if (last === undefined) return {};
  const lines = changes.map(({ name, from, to, keyId }) => `${name} ${from} ${to} ${keyId}`);
  return {
    NETSTEWARD_ZONE: last.zone,
    NETSTEWARD_NAME: fitting([last.name], ''),
    NETSTEWARD_OLD_ADDRESS: last.from,
    NETSTEWARD_NEW_ADDRESS: last.to,
    NETSTEWARD_KEY_ID: last.keyId,
    NETSTEWARD_NAMES: fitting([...new Set(changes.map(({ name }) => name))], ' '),
    NETSTEWARD_CHANGES: fitting(lines, '\n'),
  };
}

/** Half a name would be another name. */
function fitting(texts: readonly string[], between: string): string {
  let length = 0;
  const kept = texts.filter((text) => {
    if (length + text.length > mostBytes) return false;
    length += text.length + 1;
    return true;
  });
  return kept.join(between);
}
