/** Why a service goes where it goes: the whole chain from its list line to its set elements, as plain data (pure). */
import { type Claim, type Settled, wayWords } from './claims.ts';
import { viewReason } from './exit-choice.ts';
import { type AddressExplanation, addressExplanation, type KnownOf } from './explain-address.ts';
import type { HostRecord } from './model.ts';
import { newestSeen, type Vote, wanted } from './policy.ts';
import { type Policy, policyOf } from './policy-spec.ts';
import { policyMeaning, policyText, ruleApplied } from './policy-words.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import type { PromptSettings } from './prompt/settings.ts';
import { causeSentence } from './reason-text.ts';
import type { Timers } from './settings.ts';
import type { HostEntry, StateView } from './state.ts';
import type { HostStateName } from './status.ts';
import { votesOf } from './verdict.ts';

/** Where a check list names the host. */
export interface ListPlace {
  readonly file: string;
  /** From 1; null where the file cannot be read now, or does not name it any more. */
  readonly line: number | null;
  /** As written there; null with the line. */
  readonly token: string | null;
}

export interface ExitExplanation {
  readonly name: string;
  readonly works: boolean;
  /** Why it does not; empty where it does. */
  readonly reason: string;
  readonly latency: number | null;
  readonly taken: boolean;
}

/** A grace period of the original schedule, in counted time. */
export interface GraceExplanation {
  /** What the service becomes at its end. */
  readonly becomes: 'blocked' | 'direct';
  /** Milliseconds; 0: with the next look. */
  readonly left: number;
  readonly of: number;
}

/** Times are milliseconds since the epoch; null for never, or not known. JSON values only. */
export interface HostExplanation {
  readonly now: number;
  /** Of a running daemon; else of the state file alone, and nothing is asked of anybody. */
  readonly running: boolean;
  readonly schedule: 'prompt' | 'original';
  readonly host: string;
  /** Later lists win over earlier ones. */
  readonly lists: readonly ListPlace[];
  readonly check: { readonly type: string; readonly path: string; readonly result: string };
  readonly policy: { readonly text: string; readonly byDefault: boolean; readonly meaning: string };
  readonly state: HostStateName;
  readonly since: number | null;
  readonly failingSince: number | null;
  readonly reason: string;
  /** `problem`: what is wrong with the name; empty: nothing, as far as is known. */
  readonly dns: { readonly resolved: number | null; readonly next: number | null; readonly problem: string };
  readonly addresses: readonly AddressExplanation[];
  /** The rule that makes routes of verdicts, one sentence without its end. */
  readonly rule: string;
  readonly grace: GraceExplanation | null;
  /** The exit that it takes and why; empty name: none works; null: it takes none, or there is but one, without a name. */
  readonly exit: { readonly name: string; readonly why: string } | null;
  readonly exits: readonly ExitExplanation[];
  /** Addresses that other hosts want otherwise, each as one sentence. */
  readonly conflicts: readonly string[];
  /** Where the sets are, and all that are kept. */
  readonly sets: SetsPlace;
}

export interface SetsPlace {
  readonly family: 'inet' | 'ip' | 'ip6';
  readonly table: string;
  readonly names: readonly string[];
}

export interface ExplainSettings {
  readonly schedule: 'prompt' | 'original';
  readonly fallback: Policy;
  readonly timers: Timers;
  readonly prompt: PromptSettings;
  /** In the preferred order; empty: one way around, without a name. */
  readonly exits: readonly string[];
}

export interface Explaining extends KnownOf {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Seconds. */
  readonly counted: number;
  readonly running: boolean;
  readonly state: StateView;
  readonly settings: ExplainSettings;
  readonly lists: readonly ListPlace[];
  readonly exits: readonly ExitHealth[];
  readonly sets: SetsPlace;
}

/** Undefined: no such host. */
export function explainHost(name: string, known: Explaining): HostExplanation | undefined {
  const entry = known.state.host(name);
  if (entry === undefined) return undefined;
  const { record, addresses } = entry;
  const { schedule, fallback, timers } = known.settings;
  const policy = policyOf(record.policy, fallback);
  const votes = schedule === 'prompt' ? plainVotes(entry) : votesOf(addresses);
  const newest = newestSeen(addresses.values());
  const all = [...addresses.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  return {
    now: known.now,
    running: known.running,
    schedule,
    host: name,
    lists: known.lists,
    check: record.check,
    policy: { text: policyText(policy), byDefault: record.policy === '', meaning: policyMeaning(policy) },
    state: record.state ?? 'unknown',
    since: time(record.changed),
    failingSince: time(record.failingSince),
    reason: record.reason,
    dns: {
      resolved: time(record.checked),
      next: !known.running || record.checked === 0 ? null : Math.round((record.checked + timers.hostAddrs) * 1000),
      problem: record.cause === undefined ? '' : causeSentence(record.cause),
    },
    addresses: all.map((address) => addressExplanation(record, address, address.seen === newest, known)),
    rule: ruleApplied(record, policy, votes),
    grace: schedule === 'prompt' ? null : graceOf(record, wanted(policy, votes), known),
    exit: exitOf(entry, known),
    exits: known.exits.map((exit) => ({ ...exit, taken: exit.name === record.exit })),
    conflicts: all.flatMap(({ address }) => conflictText(name, address, known.settled(address)) ?? []),
    sets: known.sets,
  };
}

/** Under the prompt schedule what is down everywhere keeps its verdict. */
function plainVotes({ addresses }: HostEntry): readonly Vote[] {
  const newest = newestSeen(addresses.values());
  return [...addresses.values()].map(({ address, state, seen }) => {
    return { address, newest: seen === newest, tri: state === 'ok' ? true : state === 'na' ? false : null };
  });
}

/** What verdict.ts waits for. */
function graceOf(record: HostRecord, want: Vote['tri'], { counted, settings }: Explaining): GraceExplanation | null {
  const { hostOkState, hostNaState } = settings.timers;
  const left = (from: number, of: number): number => Math.round(Math.max(0, of - (counted - from)) * 1000);
  const { state, failingSince, failingCounted, changedCounted } = record;
  if (state === 'na' && want === true) {
    return { becomes: 'direct', left: left(changedCounted, hostOkState), of: hostOkState * 1000 };
  }
  if ((state === 'failing' || state === 'unstable') && want === false) {
    const from = failingSince === 0 ? counted : failingCounted;
    return { becomes: 'blocked', left: left(from, hostNaState), of: hostNaState * 1000 };
  }
  return null;
}

function exitOf({ record, addresses }: HostEntry, { settings, exits }: Explaining): HostExplanation['exit'] {
  const { exit: name } = record;
  if (name === undefined) return null;
  const down = new Set(exits.filter(({ works }) => !works).map((each) => each.name));
  if (name === '') {
    const all = settings.exits.every((each) => down.has(each));
    return { name, why: all ? 'every exit is down' : 'it works through none of them' };
  }
  const place = settings.exits.indexOf(name);
  if (place < 0) return { name, why: 'it is not in the configuration any more, and another one will be chosen' };
  if (place === 0) return { name, why: 'the first in the preferred order' };
  const before = settings.exits.slice(0, place).map((each) => {
    if (down.has(each)) return `${each} is down`;
    const views = [...addresses.values()].flatMap(({ prompt }) => prompt?.exits[each] ?? []);
    const reason = views.map(viewReason).find((text) => text !== '');
    return reason === undefined ? `${each} was not preferred when it was chosen` : `through ${each}: ${reason}`;
  });
  return { name, why: `${before.join('; ')}; it is kept as long as it works` };
}

const rules = {
  priority: 'by its priority',
  need: 'as a need for the way around counts more than a wish for the direct route',
  name: 'as its name comes first',
} as const;

function conflictText(host: string, address: string, settled: Settled | undefined): string | undefined {
  if (settled?.against === undefined || settled.by === 'alone' || settled.by === 'agreement') return undefined;
  const { claim, against, by } = settled;
  const words = ({ host: name, way }: Claim): string => `${name === host ? 'this host' : name} (${wayWords(way)})`;
  return `${address} is shared: ${words(claim)} decides against ${words(against)}, ${rules[by]}`;
}

function time(seconds: number): number | null {
  return seconds === 0 ? null : Math.round(seconds * 1000);
}
