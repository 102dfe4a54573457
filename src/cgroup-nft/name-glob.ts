/** A glob for one name between slashes: `*`, `?` and `[a-z]`; a backslash is a letter like any other, as in `\x2d` (pure). */

type Item =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'letter'; readonly letter: string }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** NAME_MAX of linux/limits.h: no directory's name is longer. */
const longestName = 255;

export class NameGlob {
  readonly text: string;
  /** Names that match begin with this; for a glob without special signs it is the whole name. */
  readonly prefix: string;
  /** Whether just one name matches, which is `text`. */
  readonly literal: boolean;
  readonly #items: readonly Item[];

  /** `text` must be one that nameGlobProblem finds nothing wrong with; an unclosed bracket stands for itself. */
  constructor(text: string) {
    this.text = text;
    this.#items = parse(text);
    const special = this.#items.findIndex(({ kind }) => kind !== 'letter');
    this.literal = special === -1;
    this.prefix = this.literal ? text : text.slice(0, special);
  }

  /** The whole name, leading dots included. Takes at most as many steps as name and glob have characters, multiplied. */
  matches(name: string): boolean {
    if (this.literal) return name === this.text;
    const items = this.#items;
    let item = 0;
    let at = 0;
    // Only the last star has to be gone back to: what an earlier one could take, the last one can take as well.
    let star = -1;
    let starAt = 0;
    while (at < name.length) {
      const current = items[item];
      if (current?.kind === 'star') {
        star = item;
        starAt = at;
        item += 1;
      } else if (current !== undefined && takes(current, name[at] ?? '')) {
        item += 1;
        at += 1;
      } else if (star >= 0) {
        item = star + 1;
        starAt += 1;
        at = starAt;
      } else return false;
    }
    while (items[item]?.kind === 'star') item += 1;
    return item === items.length;
  }
}

/** What is wrong with a glob, or undefined. */
export function nameGlobProblem(text: string): string | undefined {
  if (text === '') return 'a name is missing';
  if (text === '.' || text === '..') return `"${text}" is the name of no cgroup`;
  if (text.length > longestName) return `a name is longer than ${longestName} characters`;
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '[') continue;
    const end = classEnd(text, at);
    if (end === undefined) return 'a "[" is not closed';
    const backwards = rangesOf(text.slice(at + 1, end)).ranges.find(([from, to]) => from > to);
    if (backwards !== undefined) return `the range ${backwards.join('-')} is empty`;
    at = end;
  }
  return undefined;
}

function takes(item: Item, letter: string): boolean {
  if (item.kind === 'letter') return item.letter === letter;
  if (item.kind === 'class') return item.ranges.some(([from, to]) => from <= letter && letter <= to) !== item.negated;
  return true;
}

function parse(text: string): readonly Item[] {
  const items: Item[] = [];
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    const end = letter === '[' ? classEnd(text, at) : undefined;
    if (end !== undefined) {
      items.push({ kind: 'class', ...rangesOf(text.slice(at + 1, end)) });
      at = end;
    } else if (letter === '*') {
      // Two stars in a row are one.
      if (items.at(-1)?.kind !== 'star') items.push({ kind: 'star' });
    } else items.push(letter === '?' ? { kind: 'any' } : { kind: 'letter', letter });
  }
  return items;
}

/** Index of the bracket that closes the one at `open`: as in glob(7), one that comes first is a letter. */
function classEnd(text: string, open: number): number | undefined {
  const negated = text[open + 1] === '!' || text[open + 1] === '^';
  const end = text.indexOf(']', open + (negated ? 3 : 2));
  return end === -1 ? undefined : end;
}

function rangesOf(inside: string): Pick<Extract<Item, { kind: 'class' }>, 'negated' | 'ranges'> {
  const negated = inside.startsWith('!') || inside.startsWith('^');
  const letters = negated ? inside.slice(1) : inside;
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < letters.length; at++) {
    const from = letters[at] ?? '';
    const to = letters[at + 2];
    if (letters[at + 1] === '-' && to !== undefined) {
      ranges.push([from, to]);
      at += 2;
    } else ranges.push([from, from]);
  }
  return { negated, ranges };
}
