/** The pass over the alternative route: what fails there too is down, and says nothing about the direct route. */
import { type CheckSource, checkTarget } from './checker.ts';
import type { Checked } from './decide.ts';
import { sameCheck } from './model.ts';
import type { OwnSide } from './own-side.ts';
import { dueAlternatives } from './schedule.ts';
import { type Changes, Draft, type State, type StateView } from './state.ts';
import type { StateStore } from './store.ts';
import { altCheckedAddress } from './verdict.ts';

export interface AltRouteMode {
  /** Seconds since the epoch. */
  readonly now: number;
  readonly forced: boolean;
  /** Seconds. */
  readonly interval: number;
  readonly limit: number;
  /** Looks at this machine's own side over this route: a dead tunnel makes everything look as if it were down everywhere. */
  readonly ownSide?: (signal: AbortSignal) => Promise<OwnSide>;
}

export interface AltRouteReport {
  /** Why nothing was marked, where that is so. */
  readonly ownSide: OwnSide;
  readonly checked: readonly Checked[];
}

/** Pure: what the results change. Host states follow in the next normal pass. */
export function decideAlternatives(state: StateView, now: number, checked: readonly Checked[]): Changes {
  const draft = new Draft(state);
  for (const { host, address, check, result } of checked) {
    const entry = draft.host(host);
    const old = entry?.addresses.get(address);
    if (entry === undefined || old === undefined || !sameCheck(entry.record.check, check)) continue;
    if (result.kind !== 'untried') draft.putAddress(host, altCheckedAddress(old, result, now));
  }
  return draft.changes();
}

/** Rejects as runPass() does. */
export async function runAltRoutePass(
  checks: CheckSource,
  store: StateStore,
  mode: AltRouteMode,
  signal: AbortSignal,
): Promise<AltRouteReport> {
  const look = async (): Promise<OwnSide> => (await mode.ownSide?.(signal)) ?? { ok: true };
  const state = await store.refresh(signal);
  const due = dueAlternatives(state, mode);
  if (due.length === 0) return { ownSide: { ok: true }, checked: [] };
  let ownSide = await look();
  if (!ownSide.ok) return { ownSide, checked: [] };
  const checked = await Promise.all(
    due.map(async ({ entry, address }): Promise<Checked> => {
      const target = { host: entry.record.name, address: address.address, check: entry.record.check };
      return { ...target, result: await checkTarget(checks, target, signal) };
    }),
  );
  // What failed may have failed with our own side, in the middle of the pass.
  if (checked.some(({ result }) => result.kind === 'fail')) ownSide = await look();
  if (!ownSide.ok) return { ownSide, checked: [] };
  signal.throwIfAborted();
  await store.commit((newest: State) => ({ changes: decideAlternatives(newest, mode.now, checked) }), signal);
  return { ownSide, checked };
}
