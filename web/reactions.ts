/** How fast netsteward was: what it took to change a route, by kind, and the last changes one by one. */
import type { ReactionKind, Reactions } from '../src/supervisor/page/shapes.ts';
import { make, part, setHidden, setText } from './dom.ts';
import type { Model } from './model.ts';
import { clockTime, count, dateTime, dayMonth, seconds } from './words.ts';

const kinds: readonly (readonly [ReactionKind, string, string])[] = [
  ['reroute', 'reroute', 'from the first failed check'],
  ['release', 'release', 'from the first good direct check'],
  ['fail-over', 'fail-over', 'from the first failed check through the exit'],
];
const done: Readonly<Record<ReactionKind, string>> = {
  reroute: 'rerouted',
  release: 'released',
  'fail-over': 'to another exit',
};
/** What was before that check nobody knows. */
const explained = 'From the first check that told of it until the kernel had the new route.';
/** Of those that the state has. */
const mostLast = 5;

type Cells = Readonly<Record<'median' | 'worst' | 'count', HTMLElement>>;

export class ReactionsView {
  readonly #cells: ReadonlyMap<ReactionKind, Cells>;
  readonly #last = make('ul', { class: 'rows events small', attributes: { 'aria-label': 'Last changes of routes' } });
  #shown: Reactions | undefined;

  constructor() {
    this.#cells = new Map(kinds.map(([kind]) => [kind, { median: make('td'), worst: make('td'), count: make('td') }]));
    const head = ['', 'median', 'worst', 'times'].map((text) =>
      text === '' ? make('td') : make('th', { text, attributes: { scope: 'col' } }),
    );
    const rows = kinds.map(([kind, name, from]) => {
      const { median, worst, count: times } = this.#cells.get(kind) ?? { median: '', worst: '', count: '' };
      const label = make('th', { text: name, attributes: { scope: 'row', title: from } });
      return make('tr', {}, label, median, worst, times);
    });
    const table = make('table', { class: 'reactions', attributes: { 'aria-labelledby': 'reactions-title' } });
    table.append(make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows));
    part('reactions-body').append(make('p', { class: 'quiet small', text: explained }), table, this.#last);
  }

  show({ nbrpc }: Model): void {
    const reactions = nbrpc?.reactions;
    setHidden(part('reactions'), reactions === undefined);
    if (reactions === undefined || sameAs(reactions, this.#shown)) return;
    this.#shown = reactions;
    for (const [kind, cells] of this.#cells) {
      const { median, worst, count: times } = reactions.byKind[kind];
      setText(cells.median, median === null ? '–' : seconds(median));
      setText(cells.worst, worst === null ? '–' : seconds(worst));
      setText(cells.count, count(times));
    }
    const last = reactions.last.slice(0, mostLast).map(({ at, kind, host, took }) =>
      make(
        'li',
        { attributes: { title: dateTime(at) } },
        make('time', {
          text: `${dayMonth(at)} ${clockTime(at).slice(0, 5)}`,
          attributes: { datetime: new Date(at).toISOString() },
        }),
        make('span', { text: `${host} ${done[kind]}: ${seconds(took)}` }),
      ),
    );
    this.#last.replaceChildren(...last);
    setHidden(this.#last, last.length === 0);
  }
}

/** The head comes anew with each pass. */
function sameAs(a: Reactions, b: Reactions | undefined): boolean {
  if (b === undefined || a.last[0]?.at !== b.last[0]?.at) return false;
  return kinds.every(([kind]) => a.byKind[kind].count === b.byKind[kind].count);
}
