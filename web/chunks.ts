/** A long list in pieces: the browser skips the layout and the paint of those off the screen, and looks at pieces instead of rows. */
import { arrange, make, setAttribute } from './dom.ts';

/** Rows of a piece: some three pieces are on a screen. */
const size = 25;

export class Chunks {
  readonly #list: HTMLElement;
  readonly #seen: IntersectionObserver;
  readonly #chunks: HTMLElement[] = [];

  /** `onSight`: rows have come near the screen, or gone away from it. */
  constructor(list: HTMLElement, onSight: (rows: Iterable<Element>, near: boolean) => void) {
    this.#list = list;
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          target.setAttribute('data-near', String(isIntersecting));
          onSight(target.children, isIntersecting);
        }
      },
      { rootMargin: '200px' },
    );
  }

  /** Every row, from the top. */
  get rows(): readonly Element[] {
    return this.#chunks.flatMap((chunk) => Array.from(chunk.children));
  }

  /** True: the row is on the screen, or near it. */
  isNear(row: Element): boolean {
    return row.parentElement?.getAttribute('data-near') === 'true';
  }

  arrange(rows: readonly Element[]): void {
    const count = Math.max(1, Math.ceil(rows.length / size));
    while (this.#chunks.length < count) this.#add();
    for (const chunk of this.#chunks.splice(count)) {
      this.#seen.unobserve(chunk);
      chunk.remove();
    }
    for (const [index, chunk] of this.#chunks.entries()) arrange(chunk, rows.slice(index * size, (index + 1) * size));
  }

  /** At the end, and nothing else moves. */
  append(row: Element): void {
    (this.#chunks.at(-1) ?? this.#add()).append(row);
  }

  #add(): HTMLElement {
    // No list of its own for who listens: all pieces are one list.
    const chunk = make('div', { class: 'chunk', attributes: { role: 'presentation' } });
    // What begins the list is on the screen when the page opens, long before the observer says so.
    if (this.#chunks.length === 0) setAttribute(chunk, 'data-near', 'true');
    this.#chunks.push(chunk);
    this.#list.append(chunk);
    this.#seen.observe(chunk);
    return chunk;
  }
}
