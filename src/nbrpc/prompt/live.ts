/** What this run knows of each address: states in the clock of this run, taken over from the file where it has none yet. */
import { type ExitViews, unfailed } from '../exit-choice.ts';
import { type AddressRecord, triOfAddress } from '../model.ts';
import { type PromptState, promptState, resumed, step, triOfPrompt } from './address.ts';
import { placeOf } from './interval.ts';
import { noOnset, type Onset, onsetAfter, voidedOnset } from './onset.ts';
import type { PromptSettings } from './settings.ts';

export interface Live {
  readonly state: PromptState;
  readonly exits: ExitViews;
}

/** Pure but for its own memory. Moments are seconds of the monotonic clock. */
export class LiveStates {
  readonly #settings: PromptSettings;
  readonly #known = new Map<string, Map<string, Live>>();
  /** By host and address, where something began. */
  readonly #onsets = new Map<string, Map<string, Onset>>();

  constructor(settings: PromptSettings) {
    this.#settings = settings;
  }

  /** What is known of it, or what the record says where others have decided since. */
  of(host: string, record: AddressRecord, at: number): Live {
    const known = this.#known.get(host)?.get(record.address);
    if (known !== undefined && agrees(known.state, record)) return known;
    const taken = this.#taken(host, record, at);
    this.put(host, record.address, taken);
    return taken;
  }

  put(host: string, address: string, live: Live): void {
    const addresses = this.#known.get(host);
    this.#note(host, address, onsetAfter(this.onset(host, address), addresses?.get(address), live));
    if (addresses === undefined) this.#known.set(host, new Map([[address, live]]));
    else addresses.set(address, live);
  }

  /** When it began, that the address says what it says. */
  onset(host: string, address: string): Onset {
    return this.#onsets.get(host)?.get(address) ?? noOnset;
  }

  forgetHost(host: string): void {
    this.#known.delete(host);
    this.#onsets.delete(host);
  }

  forget(host: string, address: string): void {
    this.#known.get(host)?.delete(address);
    this.#onsets.get(host)?.delete(address);
  }

  /** No failure before `at` counts any more. */
  void(at: number): void {
    for (const [host, addresses] of this.#known) {
      for (const [address, { state, exits }] of addresses) {
        const live = { state: step(state, { kind: 'void', at }, this.#settings), exits: mapped(exits, at) };
        addresses.set(address, live);
        this.#note(host, address, voidedOnset(this.onset(host, address), live));
      }
    }
  }

  #note(host: string, address: string, onset: Onset): void {
    const addresses = this.#onsets.get(host);
    // Nearly every check of nearly every address says what the one before has said.
    if (onset.failing === null && onset.well === null && onset.exits === noOnset.exits) {
      addresses?.delete(address);
    } else if (addresses === undefined) this.#onsets.set(host, new Map([[address, onset]]));
    else addresses.set(address, onset);
  }

  #taken(host: string, record: AddressRecord, at: number): Live {
    const { address, prompt } = record;
    if (prompt !== undefined && agrees(prompt.state, record)) {
      return { state: resumed(prompt.state, at, this.#settings), exits: mapped(prompt.exits, at) };
    }
    const tri = triOfAddress(record.state);
    const verdict = tri === null ? 'unknown' : tri ? 'works' : 'blocked';
    return { state: promptState(placeOf(host, address), at, verdict), exits: {} };
  }
}

/** As long as it was never decided under this schedule, what the record says is all that is known. */
function agrees(state: Parameters<typeof triOfPrompt>[0], record: AddressRecord): boolean {
  const tri = triOfPrompt(state);
  return tri === null ? record.prompt !== undefined || record.state === null : tri === triOfAddress(record.state);
}

function mapped(exits: ExitViews, at: number): ExitViews {
  return Object.fromEntries(Object.entries(exits).map(([name, view]) => [name, unfailed(view, at)]));
}
