/** A statement with cgroups that exist in the places of those it names, so that nft reads it before its units run (pure). */
import type { UnitStatement } from './rule.ts';

/** Characters of a statement: from the first to past the last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface StandIn {
  readonly text: string;
  /** The characters of the user's statement that stand for these of `text`. */
  readonly spanOf: (span: Span) => Span;
}

/** A stretch of the text and what it is in the user's statement; one that was replaced counts as a whole. */
interface Stretch {
  readonly at: number;
  readonly text: string;
  readonly original: Span;
  readonly replaced: boolean;
}

/**
 * `existing`: paths of cgroups that exist, at least one. Each path is replaced by one of its own as far as there are enough:
 * nft may refuse a set that has a member twice.
 */
export function standIn({ statement, cgroups }: UnitStatement, existing: readonly string[]): StandIn {
  const known = new Set(existing);
  const used = new Set(cgroups.map(({ path }) => path).filter((path) => known.has(path)));
  const free = existing.filter((path) => !used.has(path));
  const chosen = new Map<string, string>([...used].map((path) => [path, path]));
  const stretches: Stretch[] = [];
  let text = '';
  let done = 0;
  const push = (words: string, original: Span, replaced: boolean): void => {
    if (words === '') return;
    stretches.push({ at: text.length, text: words, original, replaced });
    text += words;
  };
  for (const { path, start, end } of [...cgroups].sort((a, b) => a.start - b.start)) {
    const instead = chosen.get(path) ?? free[(chosen.size - used.size) % Math.max(1, free.length)] ?? existing[0] ?? '';
    chosen.set(path, instead);
    push(statement.slice(done, start), { from: done, to: start }, false);
    push(`"${instead}"`, { from: start, to: end }, true);
    done = end;
  }
  push(statement.slice(done), { from: done, to: statement.length }, false);
  return { text, spanOf: (span) => originalOf(stretches, span) };
}

function originalOf(stretches: readonly Stretch[], { from, to }: Span): Span {
  const place = (index: number, end: boolean): number => {
    const stretch = stretches.findLast(({ at }) => at <= index);
    if (stretch === undefined) return 0;
    const { at, original, replaced } = stretch;
    if (replaced) return end ? original.to : original.from;
    return Math.min(original.from + index - at + (end ? 1 : 0), original.to);
  };
  return { from: place(from, false), to: place(Math.max(from, to - 1), true) };
}
