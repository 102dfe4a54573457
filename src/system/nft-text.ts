/** The words of nft text: each value is validated, so that none can say more than it should (pure). */
import { NetstewardError } from '../core/errors.ts';

// The scanner's `string` (nft src/scanner.l) and NFT_NAME_MAXLEN of linux/netfilter/nf_tables.h, which counts the final NUL.
const identifier = /^[A-Za-z_.][A-Za-z0-9/\\_.-]*$/;
const longestName = 255;

/** What is wrong with the name of a table, chain or set, or undefined. Keywords of nft are left for nft to refuse. */
export function identifierProblem(name: string): string | undefined {
  if (typeof name !== 'string' || name === '') return 'must not be empty';
  if (name.length > longestName) return `must not be longer than ${longestName} characters`;
  // The scanner would take a backslash, but it starts a continuation in shells and files: no real name has one.
  // A dot alone is the sign of concatenations.
  if (!identifier.test(name) || name.includes('\\') || name === '.') {
    return 'must start with a letter, "_" or "." and go on with letters, digits, "-", "_", "." or "/"';
  }
  return undefined;
}

export function invalid(message: string): never {
  throw new NetstewardError('nft-script-invalid', message);
}

export function nameText(what: string, name: string): string {
  const problem = identifierProblem(name);
  if (problem !== undefined) invalid(`${what} ${JSON.stringify(name)?.slice(0, 80)} ${problem}`);
  return name;
}

export function oneOf<Word extends string>(what: string, word: Word, words: readonly Word[]): Word {
  if (!words.includes(word)) invalid(`${what} must be one of ${words.join(', ')}, not ${JSON.stringify(word)}`);
  return word;
}

export function numberText(what: string, value: number, most: number): string {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    invalid(`${what} must be a whole number from 0 to ${most}, not ${JSON.stringify(value)}`);
  }
  return String(value);
}

export function hexText(what: string, value: number): string {
  numberText(what, value, 0xffffffff);
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/**
 * Whether nft's text can name this cgroup: its quoted strings know no escapes (src/scanner.l), and `nft -i` leaves out bytes
 * beyond ASCII. Whoever a part of the tree is delegated to can make directories whose names have a quote or a line end.
 */
export function isCgroupPath(path: string): boolean {
  // libnftables joins it to /sys/fs/cgroup in a buffer of PATH_MAX bytes (src/datatype.c).
  return path.length <= 3000 && /^[ !#-~]+$/.test(path) && !/(^|\/)\.{0,2}(\/|$)/.test(path);
}

/** `"a/b/c"`, relative to the cgroup2 mount. */
export function cgroupText(path: string): string {
  if (!isCgroupPath(path)) invalid(`${JSON.stringify(path)?.slice(0, 80)} is not the path of a cgroup`);
  return `"${path}"`;
}

/** Why nft's `include` cannot name this file, or undefined: its strings know no escapes, and it takes glob(7) in them. */
export function filePathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'is not an absolute path';
  if (!/^[ -~]*$/.test(path)) return 'has a character that is not printable ASCII';
  if (/["\\*?[\]{}~]/.test(path)) return 'has one of the characters " \\ * ? [ ] { } ~';
  return undefined;
}

/** `"/etc/nftables.conf"` */
export function filePathText(path: string): string {
  const problem = filePathProblem(path);
  if (problem !== undefined) invalid(`the path ${JSON.stringify(path)?.slice(0, 80)} ${problem}`);
  return `"${path}"`;
}

/** Why nft's quoted strings cannot name this interface, or undefined: IFNAMSIZ is 16 with its NUL, `*` would be a pattern. */
export function interfaceProblem(name: string): string | undefined {
  if (/^[A-Za-z0-9_.:@+-]{1,15}$/.test(name) && name !== '.' && name !== '..') return undefined;
  return `${JSON.stringify(name)?.slice(0, 80)} is not the name of an interface`;
}

/** `"lan0"` */
export function interfaceText(name: string): string {
  const problem = interfaceProblem(name);
  if (problem !== undefined) invalid(problem);
  return `"${name}"`;
}

/** A comment of a chain: shortened to what the kernel takes (NFT_USERDATA_MAXLEN 256, of which nft uses some). */
export function commentText(comment: string): string {
  return `"${comment.replace(/[^\x20-\x7e]|["\\]/g, '?').slice(0, 120)}"`;
}

/**
 * What is wrong with a statement that others wrote, or undefined: it has to be one statement of one command. Neither a new
 * line, nor `;` or `#` outside of quotes, nor braces and quotes without their other half, nor control characters.
 */
export function statementProblem(statement: string): string | undefined {
  if (statement.trim() === '') return 'is empty';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get in
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(statement)) return 'has a control character or a line end in it';
  if (statement.endsWith('\\')) return 'ends in a backslash';
  const open: string[] = [];
  let quoted = false;
  for (const character of statement) {
    if (character === '"') quoted = !quoted;
    if (quoted) continue;
    if (character === ';') return 'has a ";" outside of quotes';
    if (character === '#') return 'has a "#" outside of quotes';
    if (character === '{' || character === '(') open.push(character);
    if (character === '}' && open.pop() !== '{') return 'has a "}" that closes nothing';
    if (character === ')' && open.pop() !== '(') return 'has a ")" that closes nothing';
  }
  if (quoted) return 'has a quote that is not closed';
  if (open.length > 0) return `has a "${open.at(-1)}" that is not closed`;
  return undefined;
}

export function statementText(statement: string): string {
  const problem = statementProblem(statement);
  if (problem !== undefined) invalid(`the statement ${JSON.stringify(statement.slice(0, 200))} ${problem}`);
  return statement;
}
