/** The ways around: which works, how fast it is, and how much goes through it. */
import type { ExitRow } from '../src/supervisor/page/shapes.ts';
import { make, part, Rows, setAttribute, setHidden, setText } from './dom.ts';
import type { Model } from './model.ts';
import { dateTime, milliseconds, some, span } from './words.ts';

type Row = ExitRow & { readonly id: string; readonly share: number };

interface View {
  readonly element: Element;
  readonly word: HTMLElement;
  readonly bar: HTMLElement;
  readonly text: HTMLElement;
}

export class ExitsView {
  readonly #rows: Rows<Row, View>;
  #now = 0;

  constructor() {
    const list = make('ul', { class: 'rows', attributes: { 'aria-labelledby': 'exits-title' } });
    part('exits-body').append(list);
    this.#rows = new Rows(list, create, (view, row) => patch(view, row, this.#now));
  }

  /** Time goes on. */
  tick(now: number): void {
    this.#now = now;
    this.#rows.refresh();
  }

  show({ nbrpc }: Model, now: number): void {
    this.#now = now;
    const exits = nbrpc?.exits ?? [];
    const all = exits.reduce((sum, { addresses }) => sum + addresses, 0);
    // With one way around that has no name there is nothing to tell apart.
    setHidden(part('exits'), exits.length === 0);
    setHidden(part('nav-exits'), exits.length === 0);
    this.#rows.show(exits.map((exit) => ({ ...exit, id: exit.name, share: all === 0 ? 0 : exit.addresses / all })));
  }
}

function create({ name }: Row): View {
  const [word, text, fill] = [make('span'), make('div', { class: 'quiet small' }), make('div')];
  const bar = make('div', { class: 'share', attributes: { 'aria-hidden': 'true' } }, fill);
  const head = make('div', { class: 'pair' }, make('b', { class: 'mono', text: name }), word);
  return { element: make('li', {}, head, bar, text), word, bar: fill, text };
}

function patch({ word, bar, text }: View, row: Row, now: number): void {
  word.className = row.works ? 'good' : 'bad';
  const latency = row.latency === null ? '' : `, ${milliseconds(row.latency)}`;
  const since = row.since ?? null;
  setAttribute(word, 'title', since === null ? '' : `since ${dateTime(since)}, or since netsteward runs`);
  setText(word, row.works ? `✓ works${latency}` : '! works for nothing');
  bar.style.width = `${Math.round(row.share * 100)} %`.replace(' ', '');
  const share = row.addresses === 0 ? '' : ` (${Math.round(row.share * 100)} %)`;
  const through = `${some(row.hosts, 'service')}, ${some(row.addresses, 'address', 'addresses')}${share}`;
  const how = since === null ? '' : `${row.works ? 'up' : 'down'} for ${span(now - since)}`;
  setText(text, [row.reason, through, how].filter((each) => each !== '').join('; '));
}
