/** The token for "check now", and for reading where that takes one: kept for this tab alone, gone when it closes. */
import type { Access } from '../src/supervisor/page/shapes.ts';
import { part, setText } from './dom.ts';

const key = 'netsteward-token';

export class TokenField {
  readonly #form = part<HTMLFormElement>('token-form');
  readonly #input = part<HTMLInputElement>('token');
  readonly #forget = part<HTMLButtonElement>('token-forget');
  readonly #changed: () => void;
  #access: Access | undefined;
  #wrong = '';

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#input.value.trim() !== '') sessionStorage.setItem(key, this.#input.value.trim());
      this.#input.value = '';
      this.#set('');
    });
    this.#forget.addEventListener('click', () => {
      sessionStorage.removeItem(key);
      this.#set('');
      this.#input.focus();
    });
    this.#show();
  }

  get value(): string {
    return sessionStorage.getItem(key) ?? '';
  }

  get mayCheck(): boolean {
    return this.value !== '' && this.#access?.check === 'token';
  }

  showAccess(access: Access): void {
    this.#access = access;
    this.#show();
  }

  /** It was not taken; where nothing can be read without one, the field comes to the eye. */
  refused(why: string): void {
    this.#wrong = why;
    part<HTMLDetailsElement>('legend').open = true;
    this.#show();
  }

  #set(wrong: string): void {
    this.#wrong = wrong;
    this.#show();
    this.#changed();
  }

  #show(): void {
    const given = this.value !== '';
    this.#forget.hidden = !given;
    this.#form.hidden = this.#access?.check === 'off' && this.#access.reading === 'open';
    setText(part('token-help'), this.#wrong === '' ? helpText(given, this.#access) : this.#wrong);
    if (this.#form.hidden && this.#access !== undefined) part('token-off').textContent = this.#access.why;
    part('token-off').hidden = !this.#form.hidden;
  }
}

function helpText(given: boolean, access: Access | undefined): string {
  if (given) return 'A token is in use in this tab: each opened service has a button “Check now”.';
  const why = access?.why ?? '';
  return why === '' ? 'Kept in this tab alone.' : why;
}
