/** Which secret keys a client signs with: from the words of its command line and of key files (pure). */
import { type Read, readSeed, type SigningKey } from './keys.ts';

/** A word of the command line: a file of keys, standard input, or a key itself, which others may read there. */
export type KeyWord =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'input' }
  | { readonly kind: 'key'; readonly text: string };

/** A path begins with `/` or `.`, as in the original; `-` is standard input. */
export function keyWord(word: string): KeyWord {
  if (word === '-') return { kind: 'input' };
  return /^[./]/.test(word) ? { kind: 'file', path: word } : { kind: 'key', text: word };
}

/** A key in standard base64 can begin with `/`. What looks like one must not be repeated in a message. */
export function looksLikeKey(text: string): boolean {
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text);
}

/** The whitespace-separated keys of a file; `#` begins a note, up to the line's end. Problems name the line. */
export function readKeyFile(text: string): Read<readonly SigningKey[]> {
  const keys: SigningKey[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const word of line.replace(/#.*/s, '').split(/\s+/)) {
      if (word === '') continue;
      const key = readSeed(word);
      if (key.problem !== undefined) return { problem: `line ${index + 1}: ${key.problem}` };
      keys.push(key.value);
    }
  }
  return keys.length === 0 ? { problem: 'there is no key in it' } : { value: keys };
}

/** The id of a key that is there twice; undefined where each is there once. */
export function repeatedKey(keys: readonly SigningKey[]): string | undefined {
  const seen = new Set<string>();
  for (const { verify } of keys) {
    if (seen.has(verify.id)) return verify.id;
    seen.add(verify.id);
  }
  return undefined;
}

/**
 * Whether users of this machine cannot see each other's command lines: /proc mounted with hidepid=1 or more (proc(5)).
 * `mounts`: the text of /proc/self/mounts.
 */
export function hidesCommandLines(mounts: string): boolean {
  const options = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, place, type]) => place === '/proc' && type === 'proc')
    // The last one covers those before it.
    .at(-1)?.[3];
  return /(?:^|,)hidepid=(?:[124]|noaccess|invisible|ptraceable)(?:,|$)/.test(options ?? '');
}
