/** The ways around: which works, how fast it is, and how much goes through it. */
import type { ExitRow } from '../src/supervisor/page/shapes.ts';
import { make, part, Rows, setText } from './dom.ts';
import type { Model } from './model.ts';
import { milliseconds, some } from './words.ts';

type Row = ExitRow & { readonly id: string; readonly share: number };

interface View {
  readonly element: Element;
  readonly word: HTMLElement;
  readonly bar: HTMLElement;
  readonly text: HTMLElement;
}

export class ExitsView {
  readonly #rows: Rows<Row, View>;

  constructor() {
    const list = make('ul', { class: 'rows', attributes: { 'aria-labelledby': 'exits-title' } });
    part('exits-body').append(list);
    this.#rows = new Rows(list, create, patch);
  }

  show({ nbrpc }: Model): void {
    const exits = nbrpc?.exits ?? [];
    const all = exits.reduce((sum, { addresses }) => sum + addresses, 0);
    // With one way around that has no name there is nothing to tell apart.
    part('exits').hidden = exits.length === 0;
    part('nav-exits').hidden = exits.length === 0;
    this.#rows.show(exits.map((exit) => ({ ...exit, id: exit.name, share: all === 0 ? 0 : exit.addresses / all })));
  }
}

function create({ name }: Row): View {
  const [word, text, fill] = [make('span'), make('div', { class: 'quiet small' }), make('div')];
  const bar = make('div', { class: 'share', attributes: { 'aria-hidden': 'true' } }, fill);
  const head = make('div', { class: 'pair' }, make('b', { class: 'mono', text: name }), word);
  return { element: make('li', {}, head, bar, text), word, bar: fill, text };
}

function patch({ word, bar, text }: View, row: Row): void {
  word.className = row.works ? 'good' : 'bad';
  const latency = row.latency === null ? '' : `, ${milliseconds(row.latency)}`;
  setText(word, row.works ? `✓ works${latency}` : '! works for nothing');
  bar.style.width = `${Math.round(row.share * 100)} %`.replace(' ', '');
  const share = row.addresses === 0 ? '' : ` (${Math.round(row.share * 100)} %)`;
  const through = `${some(row.hosts, 'service')}, ${some(row.addresses, 'address', 'addresses')}${share}`;
  setText(text, row.reason === '' ? through : `${row.reason}; ${through}`);
}
