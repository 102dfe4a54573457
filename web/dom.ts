/** The few things that the page does to its document; text from outside goes in as text alone, and only what changed is touched. */

export interface Made {
  readonly class?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  { class: name, text, attributes = {} }: Made = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (name !== undefined) element.className = name;
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** What index.html has by this id. */
export function part<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found as Kind;
}

/** Writes only what differs: a write costs a layout, and is spoken where the place is a live region. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function setHidden(element: HTMLElement, hidden: boolean): void {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/** Moves as few children as it can until they are those, in that order. */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  let at: Element | null = parent.firstElementChild;
  const kept = new Set(wanted);
  for (const child of wanted) {
    while (at !== null && !kept.has(at)) {
      const next: Element | null = at.nextElementSibling;
      at.remove();
      at = next;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  while (at !== null) {
    const next: Element | null = at.nextElementSibling;
    at.remove();
    at = next;
  }
}

/** A list of rows by id, each made once and then patched. */
export class Rows<Row extends { readonly id: string }, View extends { readonly element: Element }> {
  readonly #parent: Element;
  readonly #create: (row: Row) => View;
  readonly #patch: (view: View, row: Row) => void;
  readonly #views = new Map<string, { readonly view: View; row: Row | undefined }>();

  constructor(parent: Element, create: (row: Row) => View, patch: (view: View, row: Row) => void) {
    this.#parent = parent;
    this.#create = create;
    this.#patch = patch;
  }

  /** What says how long ago: time alone has changed it. */
  refresh(): void {
    for (const { view, row } of this.#views.values()) if (row !== undefined) this.#patch(view, row);
  }

  show(rows: readonly Row[]): void {
    const wanted = rows.map((row) => {
      const known = this.#views.get(row.id) ?? { view: this.#create(row), row: undefined };
      this.#views.set(row.id, known);
      if (known.row !== row) this.#patch(known.view, row);
      known.row = row;
      return known.view.element;
    });
    arrange(this.#parent, wanted);
    if (this.#views.size === rows.length) return;
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of this.#views.keys()) if (!ids.has(id)) this.#views.delete(id);
  }
}

/** Pairs of a word and what is said about it; those without anything to say are left out. */
export function facts(pairs: readonly (readonly [string, string])[]): HTMLElement {
  const list = make('dl', { class: 'facts' });
  for (const [name, text] of pairs) {
    if (text !== '') list.append(make('div', {}, make('dt', { text: `${name} ` }), make('dd', { text })));
  }
  return list;
}

export const empty = (text: string): HTMLElement => make('p', { class: 'empty', text });
