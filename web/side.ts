/** Rules by unit, names, and what happened lately: the lists beside the services. */
import type { EventRow, NameRow, UnitRow } from '../src/supervisor/page/shapes.ts';
import { empty, make, part, Rows, setAttribute, setText } from './dom.ts';
import type { Model } from './model.ts';
import { ago, bytes, clockTime, dateTime, dayMonth, kinds, milliseconds, some } from './words.ts';

/** A list with a line before it, and words for when there is nothing. */
export class ListPart<Row extends { readonly id: string }, View extends { readonly element: Element }> {
  readonly #body: HTMLElement;
  readonly #head = make('p', { class: 'quiet small' });
  readonly #list: HTMLElement;
  readonly #foot = make('p', { class: 'quiet small' });
  readonly #rows: Rows<Row, View>;
  #nothing = '';

  constructor(id: string, classes: string, create: (row: Row) => View, patch: (view: View, row: Row) => void) {
    this.#body = part(`${id}-body`);
    this.#list = make('ul', { class: classes, attributes: { 'aria-labelledby': `${id}-title` } });
    this.#rows = new Rows(this.#list, create, patch);
  }

  refresh(): void {
    this.#rows.refresh();
  }

  /** `nothing`: what to do where the list is empty. */
  show(rows: readonly Row[], head: string, foot: string, nothing: string): void {
    this.#rows.show(rows);
    setText(this.#head, head);
    setText(this.#foot, foot);
    const now = rows.length === 0 ? nothing : 'no';
    if (now === this.#nothing) return;
    this.#nothing = now;
    this.#body.replaceChildren(...(rows.length === 0 ? [empty(nothing)] : [this.#head, this.#list, this.#foot]));
  }
}

interface Lines {
  readonly element: Element;
  readonly first: HTMLElement;
  readonly right: HTMLElement;
  readonly lines: HTMLElement;
}

/** A name on the left, a word on the right, lines below. */
function lines(): Lines {
  const [first, right, below] = [make('b', { class: 'mono' }), make('span'), make('div', { class: 'quiet small' })];
  return { element: make('li', {}, make('div', { class: 'pair' }, first, right), below), first, right, lines: below };
}

function setLines(place: HTMLElement, texts: readonly string[]): void {
  texts.forEach((text, index) => {
    const line = place.children[index] ?? place.appendChild(make('div'));
    setText(line, text);
  });
  while (place.children.length > texts.length) place.lastElementChild?.remove();
}

export class RulesView {
  readonly #list = new ListPart<UnitRow, Lines>('rules', 'rows', lines, patchUnit);

  show({ units, cgroupNft: head }: Model): void {
    const waiting = head?.waiting ?? [];
    const notRunning =
      waiting.length === 0
        ? ''
        : `${some(waiting.length, 'rule')} of units that do not run now: ${waiting.slice(0, 8).join(', ')}${waiting.length > 8 ? ', …' : ''}`;
    const more = head && head.more > 0 ? `${some(head.more, 'more unit')} not shown. ` : '';
    const journal = head?.journal === 'lost' ? ' The journal cannot be read just now.' : '';
    const nothing = head
      ? `No unit with a rule runs now. ${notRunning}`
      : 'cgroup-nft is not on: a table [cgroup-nft] in the configuration gives units rules of their own (docs/firewall-by-unit.md).';
    this.#list.show(units, head ? `table ${head.table}.${journal}` : '', `${more}${notRunning}`, nothing);
  }
}

function patchUnit({ first, right, lines: place, element }: Lines, row: UnitRow): void {
  setText(first, row.unit);
  setAttribute(element, 'title', row.id);
  const lacks = row.lacking.length > 0;
  right.className = lacks ? 'bad' : row.since === null ? 'warn' : 'good';
  setText(right, lacks ? 'not in force' : row.since === null ? 'not yet' : 'in force');
  const margin =
    row.margin === null
      ? ''
      : row.margin >= 0
        ? `rule ${milliseconds(row.margin)} ahead of the process`
        : `rule ${milliseconds(-row.margin)} after the process`;
  setLines(
    place,
    [
      ...row.counters.map(({ of, packets, bytes: size }) => `${of}: ${some(packets, 'packet')}, ${bytes(size)}`),
      row.counters.length === 0 ? [...row.groups.map((name) => `group ${name}`), ...row.rules].join(', ') : '',
      lacks ? `lacking: ${row.lacking.join(', ')}` : '',
      margin,
    ].filter((text) => text !== ''),
  );
}

export class NamesView {
  #now = 0;
  readonly #list = new ListPart<NameRow, Lines>('names', 'rows', lines, (view, row) => {
    setText(view.first, row.name);
    setText(view.right, row.address);
    view.right.className = 'mono';
    const heard = row.heardAt === null ? 'no packet was heard yet' : `heard ${ago(row.heardAt, this.#now)}`;
    setAttribute(view.lines, 'title', row.heardAt === null ? '' : dateTime(row.heardAt));
    setLines(view.lines, [
      `${heard} · ${row.keys.length === 0 ? 'no key' : `key ${row.keys.join(', ')}`} · ${row.zone}`,
    ]);
  });

  tick(now: number): void {
    this.#now = now;
    this.#list.refresh();
  }

  show({ names, dyndns: head }: Model, now: number): void {
    this.#now = now;
    const packets = head ? kinds(head.packets) : '';
    const more = head && head.total > names.length ? `${some(head.total - names.length, 'more name')} not shown.` : '';
    const nothing = head
      ? 'No zone has a dynamic name yet: put a line “# dynamic: 0 KEY” above the names (docs/dyndns.md).'
      : 'dyndns is not on: a table [dyndns] in the configuration lets names follow their machines (docs/dyndns.md).';
    const listening = head ? `listens at ${head.listening}${packets === '' ? '' : ` · packets: ${packets}`}` : '';
    this.#list.show(names, listening, more, nothing);
  }
}

interface EventView {
  readonly element: Element;
}

type KeyedEvent = EventRow & { readonly id: string };

export class EventsView {
  readonly #list = new ListPart<KeyedEvent, EventView>(
    'events',
    'rows events small',
    (row) => ({
      element: make(
        'li',
        { attributes: { title: `${clockTime(row.at)}, ${row.module}, ${row.code}` } },
        make('time', {
          text: `${dayMonth(row.at)} ${clockTime(row.at).slice(0, 5)}`,
          attributes: { datetime: new Date(row.at).toISOString() },
        }),
        make('span', { text: row.text }),
      ),
    }),
    () => {},
  );
  #keys = new WeakMap<EventRow, KeyedEvent>();
  #next = 0;

  show(events: readonly EventRow[], problem: string): void {
    const keyed = events.map((event) => {
      const known = this.#keys.get(event) ?? { ...event, id: String(this.#next++) };
      this.#keys.set(event, known);
      return known;
    });
    const nothing =
      problem === '' ? 'Nothing has happened yet; what changes from now on stands here.' : `Events: ${problem}`;
    this.#list.show(keyed, '', events.length >= 100 ? 'The last 100; more: netsteward events' : '', nothing);
  }
}
