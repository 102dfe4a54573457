/** Resolvers: how each answers now, its latency as a plot, what went wrong by kind. */
import type { Latency, ResolverRow } from '../src/supervisor/page/shapes.ts';
import { make, part, setAttribute, setHidden, setText } from './dom.ts';
import type { Model } from './model.ts';
import { LatencyPlot, type PlotSight } from './plot.ts';
import { ListPart } from './side.ts';
import { ago, count, kinds, milliseconds, span } from './words.ts';

interface ResolverView {
  readonly element: HTMLElement;
  readonly id: string;
  readonly name: HTMLElement;
  readonly word: HTMLElement;
  readonly lines: HTMLElement;
  readonly window: HTMLElement;
  readonly plot: LatencyPlot;
}

const phaseWords: Readonly<Record<ResolverRow['phase'], readonly [string, string]>> = {
  well: ['✓ answers well', 'good'],
  doubtful: ['? doubtful', 'warn'],
  failing: ['! fails', 'bad'],
  unknown: ['not checked yet', 'quiet'],
  'not judged': ['not judged', 'warn'],
};

export class ResolversView {
  readonly #ask: (path: string) => Promise<Latency>;
  readonly #sight: PlotSight;
  readonly #views = new Map<string, ResolverView>();
  readonly #seen: IntersectionObserver;
  readonly #hours = make('select', { attributes: { id: 'plot-hours', 'aria-label': 'Period of the plots' } });
  readonly #shown = new Set<string>();
  #now = 0;
  readonly #list: ListPart<ResolverRow, ResolverView>;

  constructor(sight: PlotSight, ask: (path: string) => Promise<Latency>) {
    this.#ask = ask;
    this.#sight = sight;
    for (const [hours, text] of [
      ['24', '24 hours'],
      ['168', '7 days'],
      ['744', '31 days'],
    ] as const)
      this.#hours.append(make('option', { text, attributes: { value: hours } }));
    this.#hours.addEventListener('change', () => this.refresh());
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const id = target.getAttribute('data-id') ?? '';
          if (!isIntersecting || this.#shown.has(id)) continue;
          this.#shown.add(id);
          void this.#load(id);
        }
      },
      { rootMargin: '200px' },
    );
    this.#list = new ListPart(
      'resolvers',
      'rows',
      (row) => this.#create(row),
      (view, row) => this.#patch(view, row),
    );
    part('resolvers-tools').append(this.#hours);
    this.#hours.hidden = true;
  }

  show({ resolvers, dnstest: head }: Model, now: number): void {
    this.#now = now;
    setHidden(this.#hours, resolvers.length === 0);
    const serves = head?.serves ? `The test zone is served at ${head.serves.join(', ')}.` : '';
    const nothing =
      head?.serves !== undefined && head.serves !== null
        ? `No resolver is watched here. ${serves}`
        : head
          ? 'No resolver is named yet: give [dnstest] a [[dnstest.resolver]] (docs/resolver-watchdog.md).'
          : 'dnstest is not on: a table [dnstest] in the configuration watches resolvers (docs/resolver-watchdog.md).';
    const asked = head?.name
      ? `Line: median; band: up to the 95th percentile; bars: failures. Asked for ${head.name}`
      : '';
    this.#list.show(resolvers, asked, serves, nothing);
  }

  tick(now: number): void {
    this.#now = now;
    this.#list.refresh();
  }

  /** Asks for the plots on the screen again. */
  refresh(): void {
    for (const id of this.#shown) void this.#load(id);
  }

  /** Light has become dark. */
  redraw(): void {
    for (const { plot } of this.#views.values()) plot.redraw();
  }

  #create({ id }: ResolverRow): ResolverView {
    const name = make('b', { class: 'mono', text: id });
    const [word, lines, window] = [
      make('span'),
      make('div', { class: 'small' }),
      make('div', { class: 'quiet small' }),
    ];
    const plot = new LatencyPlot(id, this.#sight);
    const element = make(
      'li',
      { attributes: { 'data-id': id } },
      make('div', { class: 'pair' }, name, word),
      lines,
      plot.element,
      window,
    );
    const view = { element, id, name, word, lines, window, plot };
    this.#views.set(id, view);
    this.#seen.observe(element);
    return view;
  }

  #patch(view: ResolverView, row: ResolverRow): void {
    const [word, classes] = phaseWords[row.phase];
    view.word.className = classes;
    const latency = row.latency === null || row.phase === 'failing' ? '' : `, ${milliseconds(row.latency)}`;
    setText(view.word, `${word}${latency}`);
    const failed = kinds(row.failures);
    const cures = row.tried > 0 ? `cures tried: ${row.cures.slice(0, row.tried).join(', ')}` : '';
    const rest =
      row.restUntil !== null && row.restUntil > this.#now ? `next cure in ${span(row.restUntil - this.#now)}` : '';
    const texts = [
      row.reason === null ? '' : row.reason,
      row.failingSince === null ? '' : `since ${ago(row.failingSince, this.#now)}`,
      [cures, rest].filter((text) => text !== '').join('; '),
    ].filter((text) => text !== '');
    setText(view.lines, texts.join(' · '));
    const all = `since the start: ${count(row.checks)} checks${failed === '' ? ', none failed' : `, failed: ${failed}`}`;
    setAttribute(view.element, 'title', all);
  }

  async #load(id: string): Promise<void> {
    const view = this.#views.get(id);
    if (view === undefined) return;
    const hours = this.#hours.value;
    try {
      const latency = await this.#ask(`api/latency?resolver=${encodeURIComponent(id)}&hours=${hours}`);
      if (hours !== this.#hours.value) return;
      view.plot.show(latency);
      setText(view.window, plotText(latency, this.#hours.selectedOptions[0]?.text ?? ''));
    } catch (error) {
      setText(view.window, `No plot: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** The plot in words: also for who does not see it. */
function plotText({ median, answers, failures, problem }: Latency, hours: string): string {
  if (problem !== '') return problem;
  const known = median.filter((value) => value !== null).sort((a, b) => a - b);
  const middle = known[Math.floor(known.length / 2)];
  const sums = Object.fromEntries(Object.entries(failures).map(([kind, each]) => [kind, sum(each)]));
  const failed = kinds(sums);
  if (middle === undefined && failed === '') return `No answer within ${hours}.`;
  const typical = middle === undefined ? 'no right answer' : `typically ${milliseconds(middle)}`;
  return `${hours}: ${count(sum(answers))} answers, ${typical}; ${failed === '' ? 'none failed' : `failed: ${failed}`}`;
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
