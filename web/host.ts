/** One service in the list: how it is in one line, its strip, and what there is to know when it is opened. */
import type { AddressRow, ServiceRow } from '../src/supervisor/page/shapes.ts';
import { facts, make, setAttribute, setText } from './dom.ts';
import { type Service, shownState } from './order.ts';
import { type StripsContext, StripView } from './strip.ts';
import { ago, kindLetters, kindOf, kindWords, span, stateGlyphs, stateOf, whyOf } from './words.ts';

/** "check now": undefined while no token was given. */
export interface CheckNow {
  readonly allowed: () => boolean;
  /** What is said then, for people. Never rejects. */
  readonly ask: (host: string) => Promise<string>;
}

/** Milliseconds that a changed row is marked. */
const flashTime = 1600;

export class HostView {
  readonly element: HTMLElement;
  readonly host: string;
  readonly strip: StripView;
  readonly #checkNow: CheckNow;
  readonly #glyph = make('span');
  readonly #word = make('span');
  readonly #why = make('span', { class: 'why' });
  readonly #open: HTMLButtonElement;
  #more: HTMLElement | undefined;
  #flashing = 0;
  #answer = '';
  #row: ServiceRow | undefined;

  constructor(host: string, context: StripsContext, checkNow: CheckNow) {
    this.host = host;
    this.#checkNow = checkNow;
    this.strip = new StripView(host, context);
    this.#open = make('button', {
      class: 'open',
      text: host,
      attributes: { type: 'button', 'aria-expanded': 'false', tabindex: '-1', title: host },
    });
    this.#open.addEventListener('click', () => this.#toggle(context));
    const glyph = make('span', { class: 'glyph', attributes: { 'aria-hidden': 'true' } }, this.#glyph);
    const mark = make('span', { class: 'mark' }, glyph, this.#word);
    this.element = make(
      'div',
      { class: 'host', attributes: { role: 'listitem' } },
      this.#open,
      mark,
      this.#why,
      this.strip.element,
    );
  }

  /** 1000 rows are one stop of the Tab key, and this is the one. */
  reachable(on: boolean): void {
    const index = on ? '0' : '-1';
    setAttribute(this.#open, 'tabindex', index);
    setAttribute(this.strip.element, 'tabindex', index);
  }

  focus(what: 'open' | 'strip'): void {
    (what === 'open' ? this.#open : this.strip.element).focus();
  }

  /** `flash`: a change of state catches the eye. */
  show(service: Service, context: StripsContext, flash = false): void {
    this.#row = service.row;
    const { state, word, reason, exit } = shownState(service, context.history, context.now);
    const troubled = (state === 'failing' || state === 'tunnelled') && reason !== '';
    const kind = troubled ? kindOf(reason) : 'other';
    const before = this.element.dataset.state;
    setAttribute(this.element, 'data-state', state);
    setAttribute(this.element, 'data-kind', kind);
    setText(this.#glyph, stateGlyphs[state]);
    setText(this.#word, word);
    const why = state === 'direct' ? '' : [exit, reason].filter((text) => text !== '').join(' · ');
    setText(this.#why, why);
    setAttribute(this.#why, 'title', why);
    if (flash && before !== undefined && before !== state) this.#flash();
    this.strip.changed();
    this.refreshDetails(context.now);
  }

  /** `now`: milliseconds since the epoch. Nothing where it is closed. */
  refreshDetails(now: number): void {
    if (this.#more === undefined) return;
    // Rebuilt only where somebody looks, and never under the finger: the button in it stays.
    const body = this.#more.firstElementChild;
    body?.replaceChildren(...(this.#row === undefined ? [unlisted()] : details(this.#row, now)));
    const check = this.#more.lastElementChild;
    if (check instanceof HTMLElement) check.hidden = !this.#checkNow.allowed();
  }

  /** Nothing that moves: each animation would be a layer of its own, made and taken away again. */
  #flash(): void {
    clearTimeout(this.#flashing);
    this.element.classList.add('flash');
    this.#flashing = setTimeout(() => this.element.classList.remove('flash'), flashTime);
  }

  #toggle({ now }: StripsContext): void {
    const open = this.#more === undefined;
    setAttribute(this.#open, 'aria-expanded', String(open));
    if (!open) {
      this.#more?.remove();
      this.#more = undefined;
      return;
    }
    this.#more = make('div', { class: 'more' }, make('div'), this.#checkLine());
    this.element.append(this.#more);
    this.refreshDetails(Math.max(now, Date.now()));
  }

  #checkLine(): HTMLElement {
    const button = make('button', { text: 'Check now', attributes: { type: 'button', 'data-check': this.host } });
    const said = make('span', { class: 'quiet', text: this.#answer, attributes: { role: 'status' } });
    button.addEventListener('click', () => {
      button.disabled = true;
      setText(said, 'asking…');
      void this.#checkNow.ask(this.host).then((text) => {
        button.disabled = false;
        this.#answer = text;
        setText(said, text);
      });
    });
    return make('p', {}, button, ' ', said);
  }
}

const unlisted = (): HTMLElement =>
  make('p', {
    class: 'quiet',
    text: 'Only its history is known here: details are shown for the services that matter most. On the machine: netsteward nbrpc status.',
  });

function details(row: ServiceRow, now: number): readonly HTMLElement[] {
  const state = stateOf(row);
  const why = whyOf(row);
  const kind = kindOf(why);
  // A cause says it by itself.
  const told = row.cause ? '' : kindLetters[kind];
  const byKind = told !== '' && state !== 'direct' ? ` (${kindWords[kind]})` : '';
  const list = make('ul', { class: 'addresses', attributes: { 'aria-label': `Addresses of ${row.id}` } });
  for (const address of row.addresses) list.append(addressLine(address, now));
  const more =
    row.moreAddresses === 0 ? [] : [make('p', { class: 'quiet', text: `and ${row.moreAddresses} more addresses` })];
  return [
    facts([
      ['reason', why === '' ? '' : `${why}${byKind}`],
      ['checks say', why === row.reason ? '' : row.reason],
      ['exit', row.exit ?? ''],
      ['since', row.since === null ? '' : `${ago(row.since, now)}`],
      ['failing for', row.failingSince === null ? '' : span(now - row.failingSince)],
      ['checked', row.checked === null ? 'never' : ago(row.checked, now)],
      ['names asked', ago(row.resolved, now)],
      ['check', row.check],
      ['policy', row.policy],
    ]),
    row.addresses.length === 0 ? make('p', { class: 'quiet', text: 'DNS has given no address.' }) : list,
    ...more,
  ];
}

const addressStates: Readonly<Record<AddressRow['state'], string>> = { ok: 'works', na: 'fails', unknown: 'not known' };

function addressLine(address: AddressRow, now: number): HTMLElement {
  const route = address.rerouted ? 'through the tunnel' : 'direct';
  const word = addressStates[address.state];
  const told = [
    whyOf(address) === '' ? '' : `direct: ${whyOf(address)}`,
    address.exitReason === null ? '' : `through the exit: ${address.exitReason}`,
    address.checked === null ? '' : `checked ${ago(address.checked, now)}`,
    address.inDns ? '' : 'no longer in DNS',
  ].filter((text) => text !== '');
  return make(
    'li',
    {},
    make('span', { class: 'mono', text: address.address }),
    make('span', {
      class: address.state === 'na' ? 'bad' : '',
      text: `${word}${address.rerouted ? ', tunnelled' : ''}`,
      attributes: { title: `goes ${route}` },
    }),
    make('span', { class: 'quiet', text: told.join('; ') }),
  );
}
