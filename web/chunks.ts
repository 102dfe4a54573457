/** A long list in pieces: the browser skips the layout and the paint of those off the screen, and looks at pieces instead of rows. */
import { arrange, make } from './dom.ts';

/** Rows of a piece: some three pieces are on a screen. */
const size = 25;

interface Chunk {
  readonly element: HTMLElement;
  /** As they stand in it. */
  rows: readonly Element[];
}

export class Chunks {
  readonly #list: HTMLElement;
  readonly #seen: IntersectionObserver;
  readonly #chunks: Chunk[] = [];
  readonly #near = new Set<Element>();

  /** `onSight`: which rows are near the screen may be others now. */
  constructor(list: HTMLElement, onSight: () => void) {
    this.#list = list;
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) this.#near.add(target);
          else this.#near.delete(target);
        }
        onSight();
      },
      { rootMargin: '200px' },
    );
  }

  /** Every row, from the top. */
  get rows(): readonly Element[] {
    return this.#chunks.flatMap(({ rows }) => rows);
  }

  /** Rows on the screen, or near it. */
  get near(): ReadonlySet<Element> {
    return new Set(this.#chunks.flatMap(({ element, rows }) => (this.#near.has(element) ? rows : [])));
  }

  /** What stands as it should is not looked at in the document: a look at each of 1000 rows is a millisecond. */
  arrange(rows: readonly Element[]): void {
    const count = Math.max(1, Math.ceil(rows.length / size));
    while (this.#chunks.length < count) this.#add();
    for (const { element } of this.#chunks.splice(count)) {
      this.#seen.unobserve(element);
      this.#near.delete(element);
      element.remove();
    }
    for (const [index, chunk] of this.#chunks.entries()) {
      const [before, wanted] = [chunk.rows, rows.slice(index * size, (index + 1) * size)];
      if (before.length === wanted.length && before.every((row, place) => row === wanted[place])) continue;
      chunk.rows = wanted;
      arrange(chunk.element, wanted);
    }
  }

  /** At the end, and nothing else moves. */
  append(row: Element): void {
    const chunk = this.#chunks.at(-1) ?? this.#add();
    chunk.rows = [...chunk.rows, row];
    chunk.element.append(row);
  }

  /** And nothing else moves. */
  remove(row: Element): void {
    for (const chunk of this.#chunks) {
      if (row.parentElement === chunk.element) chunk.rows = chunk.rows.filter((each) => each !== row);
    }
    row.remove();
  }

  #add(): Chunk {
    // No list of its own for who listens: all pieces are one list.
    const element = make('div', { class: 'chunk', attributes: { role: 'presentation' } });
    // What begins the list is on the screen when the page opens, long before the observer says so.
    if (this.#chunks.length === 0) this.#near.add(element);
    const chunk: Chunk = { element, rows: [] };
    this.#chunks.push(chunk);
    this.#list.append(element);
    this.#seen.observe(element);
    return chunk;
  }
}
