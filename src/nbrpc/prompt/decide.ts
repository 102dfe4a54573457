/** What results make of the state under the prompt schedule, as a pure function: no grace periods, but confirmations. */
import { applyHost, applyResolved, type DecideSettings, type Decision, hostMove } from '../decide.ts';
import { chooseExit, type ExitViews, seen, standingOf } from '../exit-choice.ts';
import { applyLists, type ListReading } from '../lists.ts';
import {
  type AddressRecord,
  type CheckResult,
  type CheckSpec,
  type HostRecord,
  sameCheck,
  type Tri,
  triOfAddress,
  triOfHost,
} from '../model.ts';
import { needsProbe, resultsWithoutProbe } from '../no-probe.ts';
import { newestSeen, type Vote, wanted } from '../policy.ts';
import { type Policy, policyOf } from '../policy-spec.ts';
import { causeAfter, withCause } from '../reason-record.ts';
import type { ResolvedHost } from '../resolve.ts';
import { presumedLines } from '../sets.ts';
import { Draft, type HostEntry, type StateView } from '../state.ts';
import { type AddressMove, type HostMove, policyChanged, policyUpdates } from '../updates.ts';
import { checkedAddress, failingText } from '../verdict.ts';
import { isDownEverywhere, isSuspected, promptState, step, triOfPrompt } from './address.ts';
import { placeOf } from './interval.ts';
import type { Live } from './live.ts';
import type { PromptSettings } from './settings.ts';
import type { Outcome } from './suspicion.ts';

/** What came of asking one address, over the direct route or through some of the exits. */
export interface PromptResult {
  readonly host: string;
  readonly address: string;
  readonly check: CheckSpec;
  /** When it was known, in seconds of the monotonic clock. */
  readonly at: number;
  readonly direct: CheckResult | null;
  /** By name of the exit; those alone that could be asked. Null: no exit was asked. */
  readonly exits: ReadonlyMap<string, CheckResult> | null;
}

export interface PromptDecideSettings extends DecideSettings {
  readonly prompt: PromptSettings;
  /** Of single addresses instead; absent: of none. */
  readonly promptOf?: (address: string) => PromptSettings;
  /** Names of all exits, in the preferred order; none: the one way around has no name. */
  readonly exits: readonly string[];
}

export interface PromptInputs {
  /** Seconds since the epoch. */
  readonly now: number;
  readonly counted: number;
  /** The same moment in seconds of the monotonic clock. */
  readonly at: number;
  readonly lists: readonly ListReading[];
  readonly resolved: readonly ResolvedHost[];
  readonly results: readonly PromptResult[];
  /** Exits that are dead: no service takes them. */
  readonly dead: ReadonlySet<string>;
  /** Exits that may be: no service for which none works takes them yet. Absent: none. */
  readonly unproven?: ReadonlySet<string>;
  /** Every service chooses its exit again. */
  readonly choose: boolean;
}

export interface PromptDecision extends Decision {
  /** What is known of addresses now, by host and address. */
  readonly live: readonly { readonly host: string; readonly address: string; readonly live: Live }[];
}

type LiveOf = (host: string, record: AddressRecord) => Live;

/** The order of `resolved` and `results` does not matter. `liveOf`: what is known of an address so far. */
export function decidePrompt(
  state: StateView,
  settings: PromptDecideSettings,
  inputs: PromptInputs,
  liveOf: LiveOf,
): PromptDecision {
  const { now, at } = inputs;
  const draft = new Draft(state);
  const lists = applyLists(draft, inputs.lists);
  const touched = new Set<string>([...lists.added, ...lists.changed]);
  const next = new Map<string, Map<string, Live>>();
  const put = (host: string, address: string, live: Live): void => {
    const known = next.get(host);
    if (known === undefined) next.set(host, new Map([[address, live]]));
    else known.set(address, live);
  };
  const of = (host: string, record: AddressRecord): Live => next.get(host)?.get(record.address) ?? liveOf(host, record);

  for (const host of lists.changed) {
    const [before, after] = [state.host(host), draft.host(host)];
    if (before === undefined || after === undefined || sameCheck(before.record.check, after.record.check)) continue;
    // What was learnt by another check says nothing of this one; until it has said something, routes stay as they are.
    for (const record of after.addresses.values()) {
      const live = { state: promptState(placeOf(host, record.address), at), exits: {} };
      draft.putAddress(host, { ...record, prompt: live });
      put(host, record.address, live);
    }
  }

  const expired = new Map<string, readonly string[]>();
  for (const resolved of [...inputs.resolved].sort((a, b) => (a.host < b.host ? -1 : 1))) {
    const gone = applyResolved(draft, settings, resolved, now);
    if (gone.length > 0) expired.set(resolved.host, gone);
    touched.add(resolved.host);
  }

  const addressMoves: AddressMove[] = [];
  const putAddress = (host: string, old: AddressRecord, record: AddressRecord): void => {
    draft.putAddress(host, record);
    const [from, to] = [triOfAddress(old.state), triOfAddress(record.state)];
    if (from !== to) addressMoves.push({ host, address: old.address, from, to, reason: record.reason });
    touched.add(host);
  };
  for (const { host, address, result } of resultsWithoutProbe(draft)) {
    const old = draft.host(host)?.addresses.get(address);
    if (old !== undefined) putAddress(host, old, checkedAddress(old, result, now, settings.timers.addrState));
  }
  for (const result of [...inputs.results].sort((a, b) => a.at - b.at)) {
    const { host, address, check } = result;
    const entry = draft.host(host);
    const old = entry?.addresses.get(address);
    if (entry === undefined || old === undefined || !sameCheck(entry.record.check, check)) continue;
    const live = told(of(host, old), result, settings);
    put(host, address, live);
    putAddress(host, old, recordOf(old, live, result, now));
  }

  const hostMoves: HostMove[] = [];
  const hosts = inputs.choose ? [...draft.hosts()].map(({ record }) => record.name) : [...touched];
  for (const host of hosts.sort()) {
    const entry = draft.host(host);
    if (entry === undefined) continue;
    const policy = policyOf(entry.record.policy, settings.defaultPolicy);
    const moment = { now, counted: inputs.counted };
    const move = needsProbe(entry.record.check)
      ? applyProbed(draft, entry, policy, moment, settings, of)
      : applyHost(draft, entry, policy, moment, { ok: 0, na: 0 });
    if (move !== undefined) hostMoves.push(move);
    applyExit(draft, host, settings, inputs, of);
  }

  const changes = draft.changes();
  return {
    changes,
    lists,
    hostMoves,
    addressMoves,
    expired,
    updates: policyUpdates(changes, hostMoves, addressMoves, settings.defaultPolicy),
    policyChanged: policyChanged(changes, settings.defaultPolicy),
    live: [...next].flatMap(([host, known]) => [...known].map(([address, live]) => ({ host, address, live }))),
  };
}

function outcomeOf({ kind }: CheckResult): Outcome {
  return kind === 'ok' || kind === 'fail' ? kind : 'unsure';
}

/** Of what several exits said: that it works through one is enough. */
function outcomeOfAll(results: Iterable<CheckResult>): Outcome {
  const outcomes = [...results].map(outcomeOf);
  if (outcomes.includes('ok')) return 'ok';
  return outcomes.includes('fail') ? 'fail' : 'unsure';
}

function told(before: Live, { address, at, direct, exits }: PromptResult, settings: PromptDecideSettings): Live {
  const prompt = settings.promptOf?.(address) ?? settings.prompt;
  let { state } = before;
  const views: Record<string, ExitViews[string]> = { ...before.exits };
  if (direct !== null)
    state = step(state, { kind: 'checked', route: 'direct', outcome: outcomeOf(direct), at }, prompt);
  if (exits !== null) {
    const outcome = outcomeOfAll(exits.values());
    state = step(state, { kind: 'checked', route: 'exit', outcome, at }, prompt);
    for (const [name, result] of exits) {
      if (result.kind === 'ok') views[name] = seen(views[name], true, '', at);
      else if (result.kind === 'fail') views[name] = seen(views[name], false, result.reason, at, result.cause);
    }
  }
  return { state, exits: views };
}

/** The verdict as all else reads it. */
function recordOf(old: AddressRecord, live: Live, result: PromptResult, now: number): AddressRecord {
  const { direct, exits } = result;
  const tri = triOfPrompt(live.state);
  const state = tri === null ? old.state : tri ? 'ok' : 'na';
  const record = { ...old, state, prompt: live, down: isDownEverywhere(live.state) ? now : 0 };
  const asked = direct === null || direct.kind === 'untried' ? {} : { checked: now };
  const reason = direct?.kind === 'fail' ? { reason: direct.reason } : direct?.kind === 'ok' ? { reason: '' } : {};
  const changed = triOfAddress(state) === triOfAddress(old.state) ? {} : { changed: now };
  const alt = exits === null ? {} : altOf([...exits.values()], now);
  const next = { ...record, ...asked, ...reason, ...changed, ...alt };
  return direct === null ? next : withCause(next, causeAfter(old, direct));
}

function altOf(results: readonly CheckResult[], now: number): Partial<AddressRecord> {
  if (results.some(({ kind }) => kind === 'ok')) return { altChecked: now, altReason: '' };
  const failed = results.find((result) => result.kind === 'fail');
  return failed?.kind === 'fail' ? { altChecked: now, altReason: failed.reason } : {};
}

function applyProbed(
  draft: Draft,
  { record, addresses }: HostEntry,
  policy: Policy,
  moment: { readonly now: number; readonly counted: number },
  { prompt }: PromptDecideSettings,
  of: LiveOf,
): HostMove | undefined {
  if (addresses.size === 0) return undefined;
  const known = [...addresses.values()].map((address) => ({ address, live: of(record.name, address) }));
  const newest = newestSeen(addresses.values());
  const votes = known.map(({ address, live }): Vote => {
    const tri = triOfPrompt(live.state) ?? triOfAddress(address.state);
    return { address: address.address, newest: address.seen === newest, tri };
  });
  const down = known.some(({ live }) => isDownEverywhere(live.state));
  const suspected = known.some(({ live }) => isSuspected(live.state, prompt) && !isDownEverywhere(live.state));
  const decided = known.some(({ live }) => triOfPrompt(live.state) !== null);
  if (record.state === null && !decided && !down && !suspected) return undefined;

  const want = wanted(policy, votes);
  const state = nextState(record, want, suspected, down);
  const reason = reasonOf(
    record,
    known.map(({ address }) => address),
    state,
  );
  const { now, counted } = moment;
  const stamped = state === record.state ? record : { ...record, state, changed: now, changedCounted: counted };
  const well = state === 'ok' || state === null;
  const failing = well
    ? { failingSince: 0, failingCounted: 0 }
    : record.failingSince === 0
      ? { failingSince: now, failingCounted: counted }
      : { failingSince: record.failingSince, failingCounted: record.failingCounted };
  if (stamped === record && failing.failingSince === record.failingSince && reason === record.reason) return undefined;
  const next: HostRecord = { ...stamped, ...failing, reason };
  draft.putHost(next);
  if (state === record.state) return undefined;
  return hostMove(record, { record: next, reported: triOfHost(state) !== triOfHost(record.state) }, addresses);
}

function nextState(record: HostRecord, want: Tri, suspected: boolean, down: boolean): HostRecord['state'] {
  if (want === false) return 'na';
  if (suspected) return 'failing';
  if (down) return 'unstable';
  if (want === true) return 'ok';
  return record.state;
}

/** Of addresses that fail at the moment, those first that are blocked. */
function reasonOf(record: HostRecord, addresses: readonly AddressRecord[], state: HostRecord['state']): string {
  if (state === 'ok' || state === null) return '';
  const blocked = addresses.filter(({ state: verdict }) => verdict === 'na');
  const failing = (blocked.length > 0 ? blocked : addresses)
    .filter(({ reason }) => reason !== '')
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const [first] = failing;
  return first === undefined ? record.reason : failingText(first, failing.length, addresses.length);
}

/** Which exit a service takes that is routed around; one that is not has none. */
function applyExit(
  draft: Draft,
  host: string,
  settings: PromptDecideSettings,
  { dead, unproven }: Pick<PromptInputs, 'dead' | 'unproven'>,
  of: LiveOf,
): void {
  const entry = draft.host(host);
  if (entry === undefined || (settings.exits.length === 0 && entry.record.exit === undefined)) return;
  const { exit: before, ...rest } = entry.record;
  const around = presumedLines(entry, settings.defaultPolicy).some(({ verdict }) => verdict === 'na');
  if (!around || settings.exits.length === 0) {
    if (before !== undefined) draft.putHost(rest);
    return;
  }
  const views = needsProbe(entry.record.check)
    ? [...entry.addresses.values()].map((address) => of(host, address).exits)
    : [];
  const exit = chooseExit(
    settings.exits.filter((name) => !dead.has(name) && !(before === '' && unproven?.has(name))),
    before === '' ? undefined : before,
    (name) => standingOf(name, views),
  );
  if (exit !== before) draft.putHost({ ...rest, exit });
}
