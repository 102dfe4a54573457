/** The list of services: one row each, made once, patched where something changed, put in order when nobody is in it. */
import type { NbrpcHead, ServiceRow } from '../src/supervisor/page/shapes.ts';
import { Chunks } from './chunks.ts';
import { make, part, setText } from './dom.ts';
import { palette } from './draw.ts';
import type { HistoryOfHosts } from './history.ts';
import { type CheckNow, HostView } from './host.ts';
import { matches, type Order, placed, type Service } from './order.ts';
import type { StripsContext } from './strip.ts';
import type { Tip } from './tip.ts';
import { count, marks, some, stateOf, whyOf } from './words.ts';

/** Changes at once that catch the eye one by one; more of them are a picture of their own, and each costs a layer. */
const mostFlashes = 5;
/** Rows that are made at once; the others follow, so that the first picture does not wait for them. */
const firstRows = 40;
const rowsAtOnce = 150;

export class ServicesView {
  readonly #list = part('hosts');
  readonly #filter = part<HTMLInputElement>('filter');
  readonly #sort = part<HTMLSelectElement>('sort');
  readonly #scale = make('div');
  readonly #context: StripsContext;
  readonly #checkNow: CheckNow;
  /** In the order of the last look at all of them: the next one hardly differs, and what is in order already is sorted fast. */
  #services = new Map<string, Service>();
  readonly #views = new Map<string, HostView>();
  readonly #hostOf = new WeakMap<Element, HostView>();
  readonly #chunks: Chunks;
  /** Those that have a picture. */
  readonly #drawn = new Set<HostView>();
  #head: NbrpcHead | null | undefined;
  #current: string | undefined;
  #filling = 0;
  /** Counts the arrangements: rows that an earlier one has left for later are none of this one's. */
  #turn = 0;
  #stale = false;

  constructor(tip: Tip, checkNow: CheckNow) {
    this.#checkNow = checkNow;
    this.#context = { history: undefined, hues: palette(), width: 0, height: 22, now: Date.now(), tip, spare: [] };
    this.#chunks = new Chunks(this.#list, () => this.#draw());
    this.#list.setAttribute('role', 'list');
    this.#list.setAttribute('aria-labelledby', 'services-title');
    part('scale').append(this.#scale);
    new ResizeObserver(() => this.#measure()).observe(this.#scale);
    this.#filter.addEventListener('input', () => this.#arrange());
    this.#sort.addEventListener('change', () => this.#arrange());
    this.#list.addEventListener('keydown', (event) => this.#key(event));
    this.#list.addEventListener('focusin', ({ target }) => this.#focused(target));
    this.#list.addEventListener('focusout', ({ relatedTarget }) => {
      if (this.#stale && !(relatedTarget instanceof Node && this.#list.contains(relatedTarget))) this.#arrange();
    });
  }

  /** All services that the state has; those whose object is another than before have changed. */
  showState(rows: readonly ServiceRow[], at: number): void {
    let moved = false;
    const named = new Set(rows.map(({ id }) => id));
    // What is not shown one by one matters less than what is: where one that works is shown, all others work.
    const othersWork = (this.#head?.more ?? 0) > 0 && rows.some(({ standing }) => standing === 'ok');
    for (const [host, service] of this.#services) {
      if (service.row === undefined || named.has(host)) continue;
      // No longer among those that are shown one by one, or of no list any more: what the strip says is what is left.
      this.#services.set(host, { host, row: undefined });
      if (othersWork) this.#context.history?.become(host, at, 'direct', '');
      const view = this.#views.get(host);
      if (view !== undefined) this.#patch(view);
      moved = true;
    }
    const changed = rows.filter((row) => this.#services.get(row.id)?.row !== row);
    for (const row of changed) moved = this.#take(row, at, changed.length <= mostFlashes) || moved;
    if (moved) this.#arrange();
    else this.#drawStale();
    this.#note();
  }

  showHead(head: NbrpcHead | null | undefined): void {
    this.#head = head;
    this.#note();
  }

  showHistory(history: HistoryOfHosts, now: number): void {
    this.#context.history = history;
    this.#context.now = now;
    for (const host of history.hosts) {
      if (!this.#services.has(host)) this.#services.set(host, { host, row: undefined });
    }
    for (const [host, service] of this.#services) {
      if (service.row !== undefined) history.become(host, now, stateOf(service.row), whyOf(service.row));
    }
    this.#drawScale();
    for (const view of this.#views.values()) this.#patch(view);
    this.#arrange();
    this.#note();
  }

  /** Time goes on: strips on the screen, and what says how long ago. */
  tick(now: number): void {
    this.#context.now = now;
    this.#drawScale();
    for (const view of this.#drawn) {
      view.strip.draw();
      view.refreshDetails(now);
    }
  }

  /** Light has become dark, or a token was given. */
  redraw(): void {
    this.#context.hues = palette();
    for (const view of this.#views.values()) {
      view.strip.draw();
      view.refreshDetails(this.#context.now);
    }
  }

  /** True: it may have another place now. */
  #take(row: ServiceRow, at: number, flash: boolean): boolean {
    const before = this.#services.get(row.id);
    this.#services.set(row.id, { host: row.id, row });
    this.#context.history?.become(row.id, at, stateOf(row), whyOf(row));
    const view = this.#views.get(row.id);
    if (view !== undefined) this.#patch(view, flash);
    const old = before?.row;
    return old === undefined || old.standing !== row.standing || old.state !== row.state || old.since !== row.since;
  }

  /** After all else: a canvas that writes makes the browser settle every style that has been touched. */
  #drawStale(): void {
    for (const { strip } of this.#drawn) strip.drawIfStale();
  }

  /** A picture for those on the screen, or near it; first of all those that have gone give their canvas back. */
  #draw(): void {
    const { near } = this.#chunks;
    for (const view of this.#drawn) {
      if (near.has(view.element)) continue;
      view.strip.drawn = false;
      this.#drawn.delete(view);
    }
    for (const row of near) {
      const view = this.#hostOf.get(row);
      if (view === undefined) continue;
      view.strip.drawn = true;
      this.#drawn.add(view);
    }
    this.#drawStale();
  }

  #patch(view: HostView, flash = false): void {
    const service = this.#services.get(view.host);
    if (service !== undefined) view.show(service, this.#context, flash);
  }

  /** The order and the filter, put into the document; kept back while the keyboard is in the list. */
  #arrange(): void {
    const inside = this.#list.contains(document.activeElement);
    const { history, now } = this.#context;
    const order = this.#sort.value as Order;
    const all = placed([...this.#services.values()], order, history, now);
    this.#services = new Map(all.map((service) => [service.host, service]));
    const words = this.#filter.value.trim().toLowerCase();
    const wanted = words === '' ? all : all.filter((service) => matches(service, words, history, now));
    this.#stale = inside;
    clearTimeout(this.#filling);
    this.#turn += 1;
    if (inside) this.#fillIn(wanted);
    else this.#fill(wanted, firstRows);
    this.#note(wanted.length);
  }

  /** Rows from the top on; more of them in tasks of their own. */
  #fill(wanted: readonly Service[], rows: number): void {
    // What exists already costs nothing to put in place.
    let made = 0;
    const views: HostView[] = [];
    let end = 0;
    for (; end < wanted.length; end += 1) {
      const service = wanted[end];
      if (service === undefined) break;
      if (!this.#views.has(service.host)) {
        if (made === rows) break;
        made += 1;
      }
      views.push(this.#view(service));
    }
    this.#chunks.arrange(views.map(({ element }) => element));
    this.#keepOneTabStop(views);
    // Their piece may be on the screen already.
    this.#draw();
    if (end < wanted.length) this.#afterFrame(() => this.#fill(wanted, rowsAtOnce));
  }

  /** In a task of its own, behind the picture of what is there: a tab behind others draws none, and does not wait for it. */
  #afterFrame(work: () => void): void {
    const later = (): void => {
      this.#filling = setTimeout(work, 0);
    };
    if (document.visibilityState !== 'visible') {
      later();
      return;
    }
    const turn = ++this.#turn;
    requestAnimationFrame(() => {
      if (turn === this.#turn) later();
    });
  }

  /** Somebody is in the list: what is new comes at its end, and nothing moves. */
  #fillIn(wanted: readonly Service[]): void {
    const hosts = new Set(wanted.map(({ host }) => host));
    for (const child of this.#chunks.rows) {
      const view = this.#hostOf.get(child);
      if (view === undefined || hosts.has(view.host) || child.contains(document.activeElement)) continue;
      this.#chunks.remove(child);
    }
    for (const service of wanted) {
      const { element } = this.#view(service);
      if (!element.isConnected) this.#chunks.append(element);
    }
    this.#draw();
  }

  #view(service: Service): HostView {
    const known = this.#views.get(service.host);
    if (known !== undefined) return known;
    const view = new HostView(service.host, this.#context, this.#checkNow);
    this.#views.set(service.host, view);
    this.#hostOf.set(view.element, view);
    view.show(service, this.#context);
    return view;
  }

  /** 1000 services are one stop of the Tab key: the arrow keys go on from there. */
  #keepOneTabStop(views: readonly HostView[]): void {
    const current = views.find(({ host }) => host === this.#current) ?? views[0];
    if (current === undefined) return;
    if (current.host !== this.#current) this.#views.get(this.#current ?? '')?.reachable(false);
    this.#current = current.host;
    current.reachable(true);
  }

  #focused(target: EventTarget | null): void {
    const view = this.#viewAround(target);
    if (view === undefined || view.host === this.#current) return;
    this.#views.get(this.#current ?? '')?.reachable(false);
    this.#current = view.host;
    view.reachable(true);
  }

  #viewAround(target: EventTarget | null): HostView | undefined {
    const row = target instanceof Element ? target.closest('.host') : null;
    return row === null ? undefined : this.#hostOf.get(row);
  }

  #key(event: KeyboardEvent): void {
    const { target, key, altKey, ctrlKey, metaKey } = event;
    if (!(target instanceof HTMLElement) || altKey || ctrlKey || metaKey) return;
    const onStrip = target.classList.contains('strip');
    if (!onStrip && !target.classList.contains('open')) return;
    const { rows } = this.#chunks;
    const at = rows.findIndex((row) => row.contains(target));
    const steps: Readonly<Record<string, number>> = {
      ArrowUp: at - 1,
      ArrowDown: at + 1,
      PageUp: at - 15,
      PageDown: at + 15,
      Home: 0,
      End: rows.length - 1,
    };
    const wanted = steps[key];
    if (wanted === undefined) return;
    event.preventDefault();
    const view = this.#hostOf.get(rows[Math.max(0, Math.min(wanted, rows.length - 1))] ?? target);
    view?.focus(onStrip ? 'strip' : 'open');
  }

  #measure(): void {
    const { clientWidth: width } = this.#scale;
    const height = matchMedia('(max-width: 760px)').matches ? 26 : 22;
    if (width === this.#context.width && height === this.#context.height) return;
    this.#context.width = width;
    this.#context.height = height;
    this.#drawScale();
    for (const { strip } of this.#drawn) strip.draw();
  }

  /** Times above the strips, as many as there is room for. */
  #drawScale(): void {
    const { history, now, width } = this.#context;
    if (history === undefined || width === 0) return;
    const begin = history.begin(now);
    const all = marks(begin, now);
    const room = Math.max(1, Math.ceil((all.length * 56) / width));
    const labels = all
      .filter((_, index) => (all.length - 1 - index) % room === 0)
      .map(({ at, text }) => ({ text, x: ((at - begin) / (now - begin)) * width }))
      .filter(({ x }) => x + 46 < width);
    setText(this.#scale, '');
    for (const { text, x } of labels) {
      const label = make('span', { text });
      label.style.left = `${Math.round(x)}px`;
      this.#scale.append(label);
    }
  }

  #note(shown?: number): void {
    const head = this.#head;
    const total = Math.max(this.#services.size, head?.total ?? 0);
    setText(part('services-count'), total === 0 ? '' : count(total));
    setText(
      part('services-note'),
      noteText(head, total, this.#services.size, this.#context.history, shown, this.#filter),
    );
  }
}

function noteText(
  head: NbrpcHead | null | undefined,
  total: number,
  listed: number,
  history: HistoryOfHosts | undefined,
  shown: number | undefined,
  { value }: HTMLInputElement,
): string {
  if (head === undefined) return '';
  if (head === null && listed === 0)
    return 'nbrpc is not on: a table [nbrpc] in the configuration switches it on (docs/route-around.md).';
  if (total === 0) return 'No service is listed yet: name one a line in a file of nbrpc.check_lists.';
  const parts: string[] = [];
  if (value.trim() !== '') parts.push(`${some(shown ?? 0, 'service')} of ${count(total)} match.`);
  else if (total > listed) parts.push(`${some(total - listed, 'more service')} are not shown one by one.`);
  if (history !== undefined && history.problem !== '') parts.push(`History: ${history.problem}`);
  return parts.join(' ');
}
