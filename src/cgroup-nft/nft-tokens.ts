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
  $: 'a "$" outside of quotes: variables of the ruleset are not known here, so write the value itself',
  "'": 'a "\'" outside of quotes: nft knows double quotes alone',
  '`': 'a "`" outside of quotes: nft knows double quotes alone',
  '~': 'nft knows no "~"',
  '%': 'nft knows no "%"',
};

const space = (code: number): boolean => code === 0x20 || code === 0x09;
const printableAscii = (code: number): boolean => code >= 0x20 && code < 0x7f;

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
      return fault(at, neverInWords[character]);
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

  /** A colon within a word belongs to an address (`fe80::1`); at either end it parts key and value of a map. */
  function pushWord(end: number): void {
    if (text[at] === ':' && text[at + 1] !== ':') push('colon', at + 1);
    if (at === end) return;
    const parts = text[end - 1] === ':' && text[end - 2] !== ':';
    if (parts && end - 1 > at) push('word', end - 1);
    push(parts ? 'colon' : 'word', end);
  }
}
