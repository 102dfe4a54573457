/** Paths of configuration keys as people read them: `nbrpc.check.0.port`. */

/** Joined with dots; a key that TOML would need quotes for keeps them. */
export function dottedPath(path: readonly (string | number)[]): string {
  return path.map((key) => (/^[\w-]+$/.test(String(key)) ? String(key) : JSON.stringify(String(key)))).join('.');
}
