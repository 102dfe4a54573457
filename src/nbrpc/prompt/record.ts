/** What is kept of an address under the prompt schedule, beside its verdict: its state machine, and what each exit says of it. */
import type { ExitView, ExitViews } from '../exit-choice.ts';
import { decodeCause } from '../reason.ts';
import { withCause } from '../reason-record.ts';
import { promptState, type SavedPromptState } from './address.ts';

export interface PromptRecord {
  readonly state: SavedPromptState;
  readonly exits: ExitViews;
}

export function promptRecordText({ state: { place, now }, exits }: PromptRecord): string {
  return JSON.stringify({ place, now, exits });
}

/** Undefined for a text that another version may have written: the address is then asked anew, from its verdict. */
export function promptRecordOf(text: string): PromptRecord | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isShaped(found, { place: 0, now: promptState(0, 0).now, exits: {} })) return undefined;
  const { place, now, exits } = found as SavedPromptState & { readonly exits: ExitViews };
  if (!Object.values(exits).every((view) => isShaped(view, sampleView) && Array.isArray(view.results)))
    return undefined;
  const known = Object.entries(exits).map(([name, view]) => [name, withKnownCause(view)] as const);
  return { state: { place, now }, exits: Object.fromEntries(known) };
}

/** Of a cause that this version does not know, the reason is left. */
function withKnownCause(view: ExitView): ExitView {
  return view.cause === undefined ? view : withCause(view, decodeCause(JSON.stringify(view.cause)));
}

const sampleView = { results: {}, at: 0, since: 0, reason: '' };

/** Has all the keys of the sample, with values of the same kinds. */
function isShaped(found: unknown, like: unknown): boolean {
  if (like === null) return typeof found === 'object';
  if (typeof like !== 'object') return typeof found === typeof like;
  if (typeof found !== 'object' || found === null) return false;
  const has = found as Readonly<Record<string, unknown>>;
  return Object.entries(like).every(([key, value]) => isShaped(has[key], value));
}
