/** One service's strip in the document: drawn while it is on the screen, read by pointer, finger and keyboard. */
import { make, setAttribute } from './dom.ts';
import { drawStrip, type Palette } from './draw.ts';
import type { HistoryOfHosts, Interval } from './history.ts';
import { bodyOf, headOf, type Tip } from './tip.ts';
import { some, span } from './words.ts';

/** What all strips share, and what changes for all of them at once. */
export interface StripsContext {
  history: HistoryOfHosts | undefined;
  hues: Palette;
  /** CSS pixels: every strip is as wide as any other. */
  width: number;
  height: number;
  now: number;
  readonly tip: Tip;
  /** Of strips that have left the screen, for those that come: a new one costs ten times what its picture does. */
  readonly spare: HTMLCanvasElement[];
}

/** Canvases that wait: more than a screen of them would only be memory. */
const mostSpare = 60;
/** A pointer this near (CSS pixels) means the short trouble beside it. */
const near = 4;

export class StripView {
  readonly element: HTMLElement;
  readonly #host: string;
  readonly #context: StripsContext;
  #canvas: HTMLCanvasElement | undefined;
  /** Its picture is not of what is known now. */
  #stale = true;
  #index = -1;

  constructor(host: string, context: StripsContext) {
    this.#host = host;
    this.#context = context;
    // A slider: screen readers hand it the arrow keys, and speak its value's text.
    this.element = make('div', {
      class: 'strip',
      attributes: {
        role: 'slider',
        tabindex: '-1',
        'aria-label': `History of ${host}`,
        'aria-describedby': 'strip-keys',
        'aria-readonly': 'true',
        'aria-valuemin': '1',
      },
    });
    this.describe();
    this.element.addEventListener('pointermove', (event) => this.#point(event));
    this.element.addEventListener('pointerdown', (event) => this.#point(event));
    this.element.addEventListener('pointerleave', ({ pointerType }) => {
      if (pointerType === 'mouse') context.tip.hide(this.element);
    });
    this.element.addEventListener('focus', () => this.#step(this.#index < 0 ? Number.POSITIVE_INFINITY : this.#index));
    this.element.addEventListener('blur', () => context.tip.hide(this.element));
    this.element.addEventListener('keydown', (event) => this.#key(event));
  }

  /** On the screen, or near it: it has a canvas, with its picture from the next draw() on. */
  set drawn(on: boolean) {
    if (on === (this.#canvas !== undefined)) return;
    const { spare } = this.#context;
    if (on) {
      this.#canvas = spare.pop() ?? make('canvas', { attributes: { 'aria-hidden': 'true' } });
      this.element.append(this.#canvas);
      this.#stale = true;
    } else if (this.#canvas !== undefined) {
      this.#canvas.remove();
      if (spare.length < mostSpare) spare.push(this.#canvas);
      this.#canvas = undefined;
    }
  }

  get drawn(): boolean {
    return this.#canvas !== undefined;
  }

  draw(): void {
    const { history, hues, width, height, now } = this.#context;
    if (this.#canvas === undefined || history === undefined || width === 0) return;
    drawStrip(this.#canvas, { width, height, now }, history, this.#host, hues);
    this.#stale = false;
  }

  drawIfStale(): void {
    if (this.#stale) this.draw();
  }

  /** Its history has changed. */
  changed(): void {
    this.#stale = true;
    this.describe();
  }

  /** For who does not see it, before the arrow keys are used. */
  describe(): void {
    const { history, now } = this.#context;
    const count = (history?.count(this.#host) ?? 0) - (history?.first(this.#host, now) ?? 0);
    setAttribute(this.element, 'aria-valuemax', String(Math.max(1, count)));
    if (this.#index >= 0 && document.activeElement === this.element) return;
    setAttribute(this.element, 'aria-valuenow', String(Math.max(1, count)));
    const period = history === undefined ? '' : ` in ${span(history.hours * 3_600_000)}`;
    setAttribute(
      this.element,
      'aria-valuetext',
      count === 0 ? 'no history yet' : `${some(count - 1, 'change')}${period}`,
    );
  }

  #key(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: this.#index - 1,
      ArrowRight: this.#index + 1,
      Home: 0,
      End: Number.POSITIVE_INFINITY,
    };
    const next = steps[event.key];
    if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#step(next);
  }

  #step(wanted: number): void {
    const { history, now, width } = this.#context;
    const count = history?.count(this.#host) ?? 0;
    const first = history?.first(this.#host, now) ?? 0;
    this.#index = Math.max(first, Math.min(wanted, count - 1));
    const interval = history?.interval(this.#host, this.#index, now);
    if (history === undefined || interval === undefined) return;
    setAttribute(this.element, 'aria-valuenow', String(this.#index - first + 1));
    setAttribute(this.element, 'aria-valuetext', `${headOf(interval)}, ${bodyOf(interval)}`);
    const begin = history.begin(now);
    const middle = (Math.max(begin, interval.from) + interval.to) / 2 - begin;
    this.#tell(interval, this.element.getBoundingClientRect().left + (middle / (now - begin)) * width);
  }

  #point({ clientX }: PointerEvent): void {
    const { history, now, width } = this.#context;
    const count = history?.count(this.#host) ?? 0;
    if (history === undefined || count === 0) return;
    const begin = history.begin(now);
    const perPixel = (now - begin) / width;
    const at = begin + (clientX - this.element.getBoundingClientRect().left) * perPixel;
    let [best, distance] = [count - 1, Number.POSITIVE_INFINITY];
    for (let index = history.first(this.#host, now); index < count; index += 1) {
      const interval = history.interval(this.#host, index, now);
      if (interval === undefined) continue;
      const calm = interval.state === 'direct' || interval.state === 'unknown';
      const away = Math.max(interval.from - at, at - interval.to, 0) / perPixel;
      // Trouble of a pixel's width wins against the quiet around it.
      const cost = calm ? away + near : away;
      if (away <= near && cost < distance) [best, distance] = [index, cost];
    }
    const interval = history.interval(this.#host, best, now);
    if (interval === undefined) return;
    this.#index = best;
    this.#tell(interval, clientX);
  }

  #tell(interval: Interval, x: number): void {
    this.#context.tip.show(this.element, x, headOf(interval), bodyOf(interval));
  }
}
