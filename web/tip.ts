/** The one tooltip of the page: beside the pointer, or beside what the keyboard is on; never off the screen. */
import { part, setText } from './dom.ts';
import type { Interval } from './history.ts';
import { kindWords, period, span, stateWords } from './words.ts';

export class Tip {
  readonly #element = part('tip');
  readonly #head = document.createElement('b');
  readonly #body = document.createElement('span');
  #owner: Element | undefined;

  constructor() {
    this.#element.append(this.#head, this.#body);
    window.addEventListener('scroll', () => this.hide(), { passive: true, capture: true });
    document.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.hide();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && this.#owner?.contains(target) !== true) this.hide();
    });
  }

  /** `x`: where on the screen, in CSS pixels; it stands above or below `owner`. */
  show(owner: Element, x: number, head: string, body: string): void {
    this.#owner = owner;
    setText(this.#head, head);
    setText(this.#body, body);
    this.#element.hidden = false;
    const box = owner.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#element;
    const left = Math.max(8, Math.min(x - width / 2, document.documentElement.clientWidth - width - 8));
    const top = box.bottom + height + 8 > window.innerHeight ? box.top - height - 6 : box.bottom + 6;
    this.#element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  /** With an owner: just if it is that one's. */
  hide(owner?: Element): void {
    if (owner !== undefined && owner !== this.#owner) return;
    this.#element.hidden = true;
    this.#owner = undefined;
  }
}

/** `failing (TLS)` */
export function headOf({ state, kind, reason }: Interval): string {
  const told = (state === 'failing' || state === 'tunnelled') && reason !== '' && kind !== 'other';
  return told ? `${stateWords[state]} (${kindWords[kind]})` : stateWords[state];
}

/** When, how long, why. */
export function bodyOf({ from, to, reason }: Interval): string {
  const when = `${period(from, to)}, ${span(to - from)}`;
  return reason === '' ? when : `${when}: ${reason}`;
}
