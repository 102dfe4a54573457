/** One address of a service, explained: its verdict on each route, what confirms or doubts it, what is asked next, where it goes (pure). */
import type { Settled, Way } from './claims.ts';
import { viewReason, viewTri } from './exit-choice.ts';
import { type AddressRecord, type HostRecord, triOfAddress } from './model.ts';
import { needsProbe } from './no-probe.ts';
import type { Plan } from './prompt/plan.ts';
import type { PromptRecord } from './prompt/record.ts';
import type { PromptSettings } from './prompt/settings.ts';
import { isDown } from './prompt/suspicion.ts';
import { causeSentence } from './reason-text.ts';

export interface RouteVerdict {
  readonly verdict: 'works' | 'fails' | 'unknown';
  /** Why it fails, or why it is not asked; empty where there is nothing to say. */
  readonly reason: string;
  /** When it was last asked. */
  readonly asked: number | null;
}

export interface ExitVerdict extends RouteVerdict {
  readonly name: string;
  /** The newest results, the newest last. */
  readonly results: readonly boolean[];
}

/** A failing address that is not blocked yet. */
export interface ConfirmationExplanation {
  /** Failures in a row that have to come before rounds count, and those that came. */
  readonly tries: number;
  readonly triesNeeded: number;
  /** The newest rounds on both routes: whether each confirmed the block; so many of so many have to. */
  readonly rounds: readonly boolean[];
  readonly needed: number;
  readonly of: number;
  readonly downEverywhere: boolean;
}

/** A blocked address that works again. Milliseconds. */
export interface RecoveryExplanation {
  readonly for: number;
  readonly needed: number;
  readonly answers: number;
  readonly answersNeeded: number;
  /** Failures meanwhile, and how many are put down to chance. */
  readonly doubts: number;
  readonly doubtsAllowed: number;
}

/** Times are milliseconds since the epoch. */
export interface AddressExplanation {
  readonly address: string;
  /** In the newest DNS answer; `seen`: when DNS last gave it. */
  readonly inDns: boolean;
  readonly seen: number | null;
  readonly changed: number | null;
  /** What counts for the policy. */
  readonly verdict: 'works' | 'blocked' | 'unknown';
  readonly direct: RouteVerdict;
  /** Where exits have names, one each that was asked; else one without a name, where the other route was asked. */
  readonly exits: readonly ExitVerdict[];
  readonly confirming: ConfirmationExplanation | null;
  readonly recovering: RecoveryExplanation | null;
  /** What is asked next; null: nothing is asked, or not until something fails. */
  readonly next: {
    readonly direct: number | null;
    readonly exits: { readonly at: number; readonly names: readonly string[] } | null;
  };
  /** Where its packets go, who has decided that, and in which set it is to be; a set null: in none. */
  readonly route: {
    readonly way: Way['kind'];
    readonly exit: string | null;
    readonly by: string;
    readonly set: string | null;
  } | null;
}

export interface KnownOf {
  readonly now: number;
  readonly running: boolean;
  readonly settings: {
    readonly schedule: 'prompt' | 'original';
    readonly prompt: PromptSettings;
    readonly timers: { readonly addrState: number };
  };
  /** Seconds of the monotonic clock at `now`; undefined: no daemon runs, and what the file says is of the clock of another run. */
  readonly monotonic: number | undefined;
  /** What the prompt schedule knows of it; undefined: nothing. */
  readonly prompt: (host: string, record: AddressRecord) => PromptRecord | undefined;
  /** What the prompt schedule asks next; undefined: nothing. */
  readonly plan: (host: string, address: string) => Plan | undefined;
  readonly whyUnchecked: (host: string, address: string) => string | undefined;
  /** What becomes of an address, of all hosts that have it; undefined: nobody wants anything, or it never enters a set. */
  readonly settled: (address: string) => Settled | undefined;
  /** The set that leads an address this way. */
  readonly setOf: (way: Way, address: string) => string | undefined;
}

export function addressExplanation(
  { name: host, check }: Pick<HostRecord, 'name' | 'check'>,
  record: AddressRecord,
  inDns: boolean,
  known: KnownOf,
): AddressExplanation {
  const { address } = record;
  const prompt = known.settings.schedule === 'prompt' ? known.prompt(host, record) : undefined;
  const tri = triOfAddress(record.state);
  const settled = known.settled(address);
  const way = settled?.claim.way;
  return {
    address,
    inDns,
    seen: time(record.seen),
    changed: time(record.changed),
    verdict: tri === null ? 'unknown' : tri ? 'works' : 'blocked',
    direct: needsProbe(check) ? directOf(host, record, known, prompt) : unasked,
    exits: exitsOf(record, known, prompt),
    confirming: prompt === undefined ? null : confirmingOf(prompt, known.settings.prompt),
    recovering: prompt === undefined ? null : recoveringOf(prompt, known),
    next: needsProbe(check) ? nextOf(host, record, known) : { direct: null, exits: null },
    route:
      settled === undefined || way === undefined
        ? null
        : {
            way: way.kind,
            exit: way.kind === 'around' ? (way.exit ?? null) : null,
            by: settled.claim.host,
            set: known.setOf(way, address) ?? null,
          },
  };
}

const unasked: RouteVerdict = { verdict: 'unknown', reason: 'never asked, as the list decides', asked: null };

/** A failure that does not count yet is one all the same. */
function directOf(host: string, record: AddressRecord, known: KnownOf, prompt: PromptRecord | undefined): RouteVerdict {
  const tri = triOfAddress(record.state);
  const fails = tri === false ? prompt?.state.now.recovery == null : record.reason !== '';
  const why = known.whyUnchecked(host, record.address);
  const asked = time(record.checked);
  if (tri === null && why !== undefined) return { verdict: 'unknown', reason: `not checked: ${why}`, asked };
  const cause = record.cause === undefined ? '' : causeSentence(record.cause);
  if (fails) return { verdict: 'fails', reason: cause || record.reason, asked };
  return { verdict: tri === null ? 'unknown' : 'works', reason: '', asked };
}

function exitsOf(record: AddressRecord, known: KnownOf, prompt: PromptRecord | undefined): readonly ExitVerdict[] {
  const named = Object.entries(prompt?.exits ?? {});
  if (named.length > 0) {
    return named.map(([name, view]) => {
      const tri = viewTri(view);
      return {
        name,
        verdict: tri === null ? 'unknown' : tri ? 'works' : 'fails',
        reason: viewReason(view),
        asked: known.monotonic === undefined ? null : wallOf(view.at, known.monotonic, known.now),
        results: view.results,
      };
    });
  }
  if (record.altChecked === 0) return [];
  const fails = record.altReason !== '';
  return [
    {
      name: '',
      verdict: fails ? 'fails' : 'works',
      reason: record.altReason,
      asked: time(record.altChecked),
      results: [!fails],
    },
  ];
}

function confirmingOf({ state }: PromptRecord, settings: PromptSettings): ConfirmationExplanation | null {
  const { suspicion } = state.now;
  if (suspicion === null) return null;
  return {
    tries: suspicion.tries,
    triesNeeded: settings.tries,
    rounds: suspicion.window,
    needed: settings.confirmations,
    of: settings.rounds,
    downEverywhere: isDown(suspicion),
  };
}

function recoveringOf({ state }: PromptRecord, known: KnownOf): RecoveryExplanation | null {
  const { recovery, at } = state.now;
  if (recovery === null) return null;
  const { releaseAfter, releaseChecks, releaseDoubts } = known.settings.prompt;
  return {
    for: Math.round(((known.monotonic ?? at) - recovery.since) * 1000),
    needed: releaseAfter * 1000,
    answers: recovery.oks,
    answersNeeded: releaseChecks,
    doubts: recovery.doubts,
    doubtsAllowed: releaseDoubts,
  };
}

function nextOf(host: string, record: AddressRecord, known: KnownOf): AddressExplanation['next'] {
  const { monotonic, now, settings } = known;
  if (!known.running || monotonic === undefined) return { direct: null, exits: null };
  if (settings.schedule === 'original') {
    const at = record.checked === 0 ? now : (record.checked + settings.timers.addrState) * 1000;
    return { direct: Math.round(Math.max(now, at)), exits: null };
  }
  const plan = known.plan(host, record.address);
  if (plan === undefined) return { direct: null, exits: null };
  const { direct, exits } = plan;
  return {
    direct: Number.isFinite(direct) ? wallOf(direct, monotonic, now) : null,
    exits: exits === null ? null : { at: wallOf(exits.at, monotonic, now), names: exits.names },
  };
}

/** Seconds of the monotonic clock to milliseconds of the wall clock. */
function wallOf(at: number, monotonic: number, now: number): number {
  return Math.round(now + (at - monotonic) * 1000);
}

function time(seconds: number): number | null {
  return seconds === 0 ? null : Math.round(seconds * 1000);
}
