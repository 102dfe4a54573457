/** Words, strings and braces of an nft statement that others wrote; whatever could begin a second command is refused (pure). */

/** `sign`: `==`, `!=` and other runs of `!`, `=`, `<`, `>`. A `.`, `*` or `@name` is a word. */
export type TokenKind = 'word' | 'string' | 'open' | 'close' | 'comma' | 'colon' | 'sign';

export interface Token {
  readonly kind: TokenKind;
  /** As written, a string with its quotes. */
  readonly text: string;
  /** Indexes within the statement: of the first character, and past the last. */
  readonly start: number;
  readonly end: number;
}

/** What is wrong, and where: an index within the text. */
export interface Fault {
  readonly at: number;
  readonly message: string;
}

export interface TokenList {
  readonly ok: true;
  readonly tokens: readonly Token[];
  /** Of each opening brace or parenthesis the closing one, by index among the tokens. */
  readonly mates: ReadonlyMap<number, number>;
}

export type Tokenized = TokenList | { readonly ok: false; readonly fault: Fault };

/** Rules of people have two or three; more would only be there to exhaust somebody's stack. */
const deepest = 16;

const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')' };

// What nft's scanner (src/scanner.l) makes no word of: it answers "junk", but it should not get that far.
const neverInWords: Readonly<Record<string, string>> = {
  ';': 'a ";" outside of quotes would begin a second command: write one rule per comment',
  '#': 'a "#" outside of quotes would make a comment of the rest: take it out, or put quotes around it',
  '\\': 'a "\\" outside of quotes: put the name that has it in quotes; to go on in the next line, let nothing follow it',
  $: 'a "$" outside of quotes: nft would read a variable there, and netsteward knows none, so write the value itself',
  "'": 'a "\'" outside of quotes: nft knows double quotes alone',
  '`': 'a "`" outside of quotes: nft knows double quotes alone',
  '~': 'nft knows no "~"',
  '%': 'nft knows no "%"',
};

const space = (code: number): boolean => code === 0x20 || code === 0x09;
const printableAscii = (code: number): boolean => code >= 0x20 && code < 0x7f;

/** nft knows a `define` within the file that has it alone (src/scanner.l, nft(8)); rules are given to it one by one. */
function variableFault(name: string): string {
  return (
    `$${name} is a variable: nft knows it while it reads the file that defines it, but netsteward loads this rule by itself, ` +
    'each time its unit starts, so write the value in its place, or put the values into a named set and write @SET'
  );
}

function characterFault(text: string, at: number): string {
  const code = text.codePointAt(at) ?? 0;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  if (code === 0xfffd) return 'a character that is no UTF-8 text: save the file as UTF-8, and write the rule in ASCII';
  // `nft -i` leaves bytes above 0x7f out in the C locale: a path would name another cgroup.
  if (code > 0x7e && !(code >= 0x7f && code < 0xa0)) return `the character ${name} is not ASCII: write it without`;
  return `the control character ${name}: take it out`;
}

/** Ends of words: white space, quotes, braces, commas, signs. */
const endsWord = /[\s"{}(),!=<>;#\\$'`~%]/;

/** The whole statement, or the first thing that is wrong with it. Linear in its length. */
export function tokenize(text: string): Tokenized {
  const tokens: Token[] = [];
  const mates = new Map<number, number>();
  const open: number[] = [];
  const fault = (at: number, message: string): Tokenized => ({ ok: false, fault: { at, message } });
  let at = 0;
  const push = (kind: TokenKind, end: number): void => {
    tokens.push({ kind, text: text.slice(at, end), start: at, end });
    at = end;
  };
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const character = text[at] ?? '';
    if (space(code)) {
      at += 1;
    } else if (!printableAscii(code)) {
      return fault(at, characterFault(text, at));
    } else if (neverInWords[character] !== undefined) {
      const variable = /^\$\{?([A-Za-z_][A-Za-z0-9_.\\/-]*)/.exec(text.slice(at, at + 80))?.[1];
      return fault(at, variable === undefined ? neverInWords[character] : variableFault(variable));
    } else if (character === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0)
        return fault(at, 'the quote is not closed: nft knows no escapes, so each string ends at its second quote');
      for (let inside = at + 1; inside < end; inside++) {
        if (!printableAscii(text.charCodeAt(inside))) return fault(inside, characterFault(text, inside));
      }
      push('string', end + 1);
    } else if (character === '{' || character === '(') {
      if (open.length === deepest) return fault(at, `braces stand in braces more than ${deepest} deep`);
      open.push(tokens.length);
      push('open', at + 1);
    } else if (character === '}' || character === ')') {
      const opener = open.pop();
      if (opener === undefined) return fault(at, `the "${character}" closes nothing`);
      const wanted = closing[tokens[opener]?.text ?? ''] ?? '';
      if (wanted !== character) return fault(at, `the "${character}" stands where a "${wanted}" has to come first`);
      mates.set(opener, tokens.length);
      push('close', at + 1);
    } else if (character === ',') {
      push('comma', at + 1);
    } else if (/[!=<>]/.test(character)) {
      let end = at + 1;
      while (/[!=<>]/.test(text[end] ?? '')) end += 1;
      push('sign', end);
    } else {
      let end = at + 1;
      while (end < text.length && printableAscii(text.charCodeAt(end)) && !endsWord.test(text[end] ?? '')) end += 1;
      pushWord(end);
    }
  }
  const left = open.pop();
  if (left !== undefined) {
    const opener = tokens[left];
    return fault(opener?.start ?? 0, `the "${opener?.text}" is not closed`);
  }
  return { ok: true, tokens, mates };

  function pushWord(end: number): void {
    if (text[at] === ':' && text[at + 1] !== ':') push('colon', at + 1);
    if (at === end) return;
    const parting = partingColon(text.slice(at, end));
    if (parting >= 0) {
      const colon = at + parting;
      if (parting > 0) push('word', colon);
      push('colon', colon + 1);
    }
    if (at < end) push('word', end);
  }
}

/** Index of the colon that parts key and value of a map, as in `25:accept`; -1 where all belong to an address (`fe80::1`). */
function partingColon(word: string): number {
  const last = word.lastIndexOf(':');
  if (last < 0 || word[last - 1] === ':') return -1;
  const address = /^[0-9A-Fa-f:./-]+[0-9A-Fa-f]$/.test(word) && (word.includes('::') || word.split(':').length > 5);
  return address ? -1 : last;
}
