/** A resolver's latency over time, by uPlot: median and 95th percentile on a logarithmic scale, failures as bars at the foot. */
import type { Latency } from '../src/supervisor/page/shapes.ts';
import { make, setAttribute } from './dom.ts';
import type { Palette } from './draw.ts';
import type { Tip } from './tip.ts';
import uPlot from './uplot.js';
import { dateTime, kinds, milliseconds, some } from './words.ts';

export interface PlotSight {
  readonly tip: Tip;
  readonly hues: () => Palette;
}

const height = 116;

export class LatencyPlot {
  readonly element: HTMLElement;
  readonly #sight: PlotSight;
  #latency: Latency | undefined;
  #plot: uPlot | undefined;
  #index = -1;

  constructor(resolver: string, sight: PlotSight) {
    this.#sight = sight;
    this.element = make('div', {
      class: 'plot',
      attributes: {
        role: 'slider',
        tabindex: '0',
        'aria-label': `Latency of ${resolver}`,
        'aria-readonly': 'true',
        'aria-valuemin': '1',
        'aria-valuemax': '1',
        'aria-valuenow': '1',
        'aria-valuetext': 'not loaded yet',
      },
    });
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('blur', () => sight.tip.hide(this.element));
    this.element.addEventListener('pointerleave', () => sight.tip.hide(this.element));
    new ResizeObserver(() => {
      const width = this.element.clientWidth;
      if (this.#plot !== undefined && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height });
    }).observe(this.element);
  }

  show(latency: Latency): void {
    this.#latency = latency;
    this.redraw();
    const known = latency.times.length;
    this.element.hidden = known === 0;
    setAttribute(this.element, 'aria-valuemax', String(Math.max(1, known)));
    setAttribute(
      this.element,
      'aria-valuetext',
      known === 0 ? 'no answers yet' : `${some(known, 'slot')}; arrow keys read them`,
    );
  }

  /** Anew, in the colours of now. */
  redraw(): void {
    const latency = this.#latency;
    if (latency === undefined || latency.times.length === 0) return;
    this.#plot?.destroy();
    const failed = latency.times.map((_, index) =>
      Object.values(latency.failures).reduce((all, each) => all + (each[index] ?? 0), 0),
    );
    const data = [latency.times, latency.median, latency.p95, failed.map((value) => (value === 0 ? null : value))];
    const width = Math.max(120, this.element.clientWidth);
    this.#plot = new uPlot(this.#options(width, latency, failed), data as unknown as uPlot.AlignedData, this.element);
  }

  #options(width: number, latency: Latency, failed: readonly number[]): uPlot.Options {
    const hues = this.#sight.hues();
    const axis = {
      stroke: hues.quiet,
      grid: { stroke: hues.grid, width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    };
    const mostFailed = Math.max(1, ...failed);
    const known = [...latency.median, ...latency.p95].filter((value) => value !== null && value > 0) as number[];
    // Whole decades: uPlot's logarithmic scale has its lines there.
    const low = 10 ** Math.floor(Math.log10(Math.min(1, ...known)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(100, ...known)));
    return {
      width,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: true },
        y: { distr: 3, range: [low, high] },
        failures: { range: [0, mostFailed * 2.5] },
      },
      axes: [
        { ...axis, size: 22, space: 64, values: timeMarks },
        {
          ...axis,
          splits: (_, __, min, max) => decades(min, max),
          filter: (_, splits) => splits,
          size: 46,
          values: (_, splits) => splits.map((value) => milliseconds(value).replace('.0 ', ' ')),
        },
      ],
      bands: [{ series: [2, 1], fill: hues.band }],
      series: [
        {},
        { stroke: hues.accent, width: 1.6, points: { show: false } },
        { stroke: hues.band, width: 1, points: { show: false } },
        {
          scale: 'failures',
          stroke: hues.bad,
          fill: hues.bad,
          width: 0,
          points: { show: false },
          ...bars(),
        },
      ],
      hooks: { setCursor: [(plot) => this.#pointed(plot)] },
    };
  }

  #pointed(plot: uPlot): void {
    const { idx, left } = plot.cursor;
    if (idx === null || idx === undefined || left === undefined || left < 0) return;
    this.#index = idx;
    this.#tell(plot.over.getBoundingClientRect().left + left);
  }

  #key(event: KeyboardEvent): void {
    const last = (this.#latency?.times.length ?? 0) - 1;
    const at = this.#index < 0 ? last : this.#index;
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: this.#index < 0 ? last : at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: last,
    };
    const wanted = steps[event.key];
    if (wanted === undefined || last < 0 || this.#plot === undefined || event.altKey || event.ctrlKey) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(wanted, last));
    const left = this.#plot.valToPos(this.#latency?.times[index] ?? 0, 'x');
    this.#plot.setCursor({ left, top: 10 }, false);
    this.#index = index;
    this.#tell(this.#plot.over.getBoundingClientRect().left + left);
  }

  #tell(x: number): void {
    const latency = this.#latency;
    const at = latency?.times[this.#index];
    if (latency === undefined || at === undefined) return;
    const [median, p95] = [latency.median[this.#index] ?? null, latency.p95[this.#index] ?? null];
    const head =
      median === null ? 'no right answer' : `median ${milliseconds(median)}, p95 ${milliseconds(p95 ?? median)}`;
    const failed = kinds(
      Object.fromEntries(Object.entries(latency.failures).map(([kind, each]) => [kind, each[this.#index] ?? 0])),
    );
    const body = `${dateTime(at * 1000)}: ${some(latency.answers[this.#index] ?? 0, 'answer')}${failed === '' ? '' : `, failed: ${failed}`}`;
    setAttribute(this.element, 'aria-valuenow', String(this.#index + 1));
    setAttribute(this.element, 'aria-valuetext', `${head}; ${body}`);
    this.#sight.tip.show(this.element, x, head, body);
  }
}

/** A line for each: uPlot's own choice has nine more between two of them. */
function decades(min: number, max: number): number[] {
  const found: number[] = [];
  for (let value = min; value <= max * 1.001; value *= 10) found.push(value);
  return found;
}

function bars(): { readonly paths?: uPlot.Series.PathBuilder } {
  const paths = uPlot.paths.bars?.({ size: [0.7, 8] });
  return paths === undefined ? {} : { paths };
}

/** Marks of the time axis, as uPlot wants them: 24 hours a day, and the day where it is another. */
const timeMarks: uPlot.Axis.Values = [
  // step (s), form, at a new year, month, day, hour, minute, second, mode
  [3600 * 24, '{D} {MMM}', null, null, null, null, null, null, 1],
  [3600, '{HH}:{mm}', null, null, '\n{D} {MMM}', null, null, null, 1],
  [60, '{HH}:{mm}', null, null, '\n{D} {MMM}', null, null, null, 1],
] as unknown as uPlot.Axis.Values;
