/** Strips on a canvas: each state has a shape of its own, each kind of reason a hue and a letter. */
import type { StripState } from '../src/supervisor/page/shapes.ts';
import type { HistoryOfHosts } from './history.ts';
import { type Kind, kindLetters, marks } from './words.ts';

export interface Palette {
  readonly panel: string;
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly direct: string;
  readonly unknown: string;
  readonly bad: string;
  readonly accent: string;
  /** Of a plot: between the median and the 95th percentile. */
  readonly band: string;
  readonly kinds: Readonly<Record<Kind, string>>;
}

/** As page.css has them for the light or dark that is on now. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const hue = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    panel: hue('panel'),
    ink: hue('ink'),
    quiet: hue('quiet'),
    grid: hue('line'),
    direct: hue('direct'),
    unknown: hue('unknown'),
    bad: hue('bad'),
    accent: hue('accent'),
    band: hue('band'),
    kinds: {
      name: hue('name'),
      connect: hue('connect'),
      tls: hue('tls'),
      http: hue('http'),
      data: hue('data'),
      other: hue('other'),
    },
  };
}

/** Narrower than this (CSS pixels) nobody sees or hits it. */
const narrowest = 3;
/** What matters lies on top where many changes share a pixel. */
const layers: readonly StripState[] = ['direct', 'unknown', 'tunnelled', 'failing', 'down', 'dropped'];

interface Segment {
  readonly x: number;
  readonly width: number;
  readonly state: StripState;
  readonly kind: Kind;
}

/** The canvas's drawing context in CSS pixels, cleared. */
function prepared(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | undefined {
  const scale = devicePixelRatio;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext('2d') ?? undefined;
  if (context === undefined) return undefined;
  if (canvas.width === wide && canvas.height === high) {
    context.clearRect(0, 0, width, height);
    return context;
  }
  // Either forgets all that was set; a font costs the document's styles a look, and is set no more often than it must.
  canvas.width = wide;
  canvas.height = high;
  context.scale(scale, scale);
  context.font = '700 11px ui-monospace, monospace';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  return context;
}

export function drawStrip(
  canvas: HTMLCanvasElement,
  { width, height, now }: { readonly width: number; readonly height: number; readonly now: number },
  history: HistoryOfHosts,
  host: string,
  hues: Palette,
): void {
  const context = prepared(canvas, width, height);
  if (context === undefined) return;
  const begin = history.begin(now);
  const minutes = (now - begin) / 60_000;
  drawMarks(context, begin, now, width, height, hues);
  const groups = new Map<StripState, Segment[]>(layers.map((state) => [state, []]));
  history.each(
    host,
    (start, end, state, kind) => {
      const x = (start / minutes) * width;
      const wide = Math.max(
        state === 'direct' || state === 'unknown' ? 0 : narrowest,
        ((end - start) / minutes) * width,
      );
      groups.get(state)?.push({ x: Math.min(x, width - narrowest), width: wide, state, kind });
    },
    now,
  );
  for (const segments of groups.values()) for (const segment of segments) drawSegment(context, segment, height, hues);
}

/** Of the strips that are drawn together, which is the same for all: dates are slow to write. */
let known = { begin: 0, now: 0, marks: marks(0, 0) };

function marksOf(begin: number, now: number): ReturnType<typeof marks> {
  if (known.begin !== begin || known.now !== now) known = { begin, now, marks: marks(begin, now) };
  return known.marks;
}

function drawMarks(
  context: CanvasRenderingContext2D,
  begin: number,
  now: number,
  width: number,
  height: number,
  hues: Palette,
): void {
  context.fillStyle = hues.grid;
  for (const { at } of marksOf(begin, now))
    context.fillRect(Math.round(((at - begin) / (now - begin)) * width), 0, 1, height);
}

/** One for the legend. */
export function drawSample(canvas: HTMLCanvasElement, state: StripState, kind: Kind, hues: Palette): void {
  const [width, height] = [34, 18];
  const context = prepared(canvas, width, height);
  if (context !== undefined) drawSegment(context, { x: 0, width, state, kind }, height, hues);
}

/**
 * direct: a thin line at the foot. failing: a full block. tunnelled: a bridge, an outline with a thick top. down: a block with
 * slashes. dropped: a block with a bar, as on a no-entry sign. unknown: dots.
 */
function drawSegment(
  context: CanvasRenderingContext2D,
  { x, width, state, kind }: Segment,
  height: number,
  hues: Palette,
): void {
  const [top, foot] = [2, height - 2];
  const hue = hues.kinds[kind];
  if (state === 'direct') {
    context.fillStyle = hues.direct;
    context.fillRect(x, foot - 5, width, 5);
  } else if (state === 'unknown') {
    context.fillStyle = hues.unknown;
    for (let dot = x + 1; dot < x + width - 1; dot += 6) context.fillRect(dot, foot - 4, 2, 2);
  } else if (state === 'tunnelled') {
    context.fillStyle = hues.panel;
    context.fillRect(x, top, width, foot - top);
    context.globalAlpha = 0.26;
    context.fillStyle = hue;
    context.fillRect(x, top, width, foot - top);
    context.globalAlpha = 1;
    context.fillRect(x, top, width, 4);
    context.fillRect(x, top, 1, foot - top);
    context.fillRect(x + width - 1, top, 1, foot - top);
    letter(context, kind, x, width, height + 3, hues.ink);
  } else if (state === 'failing') {
    context.fillStyle = hue;
    context.fillRect(x, top, width, foot - top);
    letter(context, kind, x, width, height, hues.panel);
  } else {
    context.fillStyle = hues.bad;
    context.fillRect(x, top, width, foot - top);
    if (state === 'dropped') {
      context.fillStyle = hues.panel;
      context.fillRect(x + 1, (top + foot) / 2 - 2, Math.max(1, width - 2), 4);
    } else slashes(context, x, width, top, foot, hues.panel);
  }
}

function letter(
  context: CanvasRenderingContext2D,
  kind: Kind,
  x: number,
  width: number,
  height: number,
  colour: string,
): void {
  if (width < 14 || kindLetters[kind] === '') return;
  context.fillStyle = colour;
  context.fillText(kindLetters[kind], x + width / 2, height / 2 + 0.5);
}

function slashes(
  context: CanvasRenderingContext2D,
  x: number,
  width: number,
  top: number,
  foot: number,
  colour: string,
): void {
  context.save();
  context.beginPath();
  context.rect(x, top, width, foot - top);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = x - (foot - top); at < x + width; at += 6) {
    context.moveTo(at, foot);
    context.lineTo(at + foot - top, top);
  }
  context.stroke();
  context.restore();
}
