/** What the strips' shapes, hues and letters mean. */
import type { StripState } from '../src/supervisor/page/shapes.ts';
import { make, part } from './dom.ts';
import { drawSample, palette } from './draw.ts';
import { type Kind, kindLetters, kindWords, stateGlyphs } from './words.ts';

const states: readonly (readonly [StripState, string])[] = [
  ['direct', 'direct: works'],
  ['failing', 'failing: does not work directly, and goes direct all the same'],
  ['tunnelled', 'tunnelled: goes around'],
  ['dropped', 'dropped: blocked, no exit works, and it must not go direct'],
  ['down', 'down on every route, or without a clear result'],
  ['unknown', 'unknown: not checked, or netsteward was off'],
];

const kinds: readonly Kind[] = ['name', 'connect', 'tls', 'http', 'data', 'other'];

export function drawLegend(): void {
  const hues = palette();
  const line = (state: StripState, kind: Kind, text: string): HTMLElement => {
    const canvas = make('canvas', { attributes: { 'aria-hidden': 'true' } });
    drawSample(canvas, state, kind, hues);
    return make('li', {}, canvas, text);
  };
  part('legend-body').replaceChildren(
    make(
      'ul',
      { attributes: { 'aria-label': 'States' } },
      ...states.map(([state, text]) => line(state, 'other', `${stateGlyphs[state]} ${text}`)),
    ),
    make(
      'ul',
      { attributes: { 'aria-label': 'At which step it fails' } },
      ...kinds.map((kind) => {
        const letter = kindLetters[kind] === '' ? '' : `${kindLetters[kind]} `;
        return line('failing', kind, `${letter}${kindWords[kind]}`);
      }),
    ),
  );
}
