/** The recorded past beside what other settings would have made of it: how long each service went around, how often it flipped (pure). */
import { type DecideSettings, type Decision, draftForChecks, type PassInputs } from './decide.ts';
import { decidePrompt } from './prompt/decide.ts';
import { LiveStates } from './prompt/live.ts';
import { promptDefaults } from './prompt/settings.ts';
import { LogReplay, type LogReplayOptions } from './replay-log.ts';
import { RouteTally, type Tally } from './route-tally.ts';
import { presumedLines } from './sets.ts';
import type { State } from './state.ts';
import { type LogLine, parseLogLine } from './state-log-lines.ts';

export interface ComparedHost {
  readonly host: string;
  /** As the log has it. */
  readonly recorded: Tally;
  /** With the other settings. */
  readonly other: Tally;
}

export interface Comparison {
  /** Seconds since the epoch. */
  readonly since: number;
  readonly until: number;
  /** By name. */
  readonly hosts: readonly ComparedHost[];
}

const nothing: Tally = { around: 0, flips: 0 };

export class ReplayComparison {
  readonly #recorded: Player;
  readonly #other: Player;
  #since: number | undefined;
  #until = 0;
  #line = 0;
  #begun = false;
  /** Lines that could not be read, by number from 1. */
  readonly unreadable: number[] = [];

  /** `other`: the settings to decide with, from those of the log. */
  constructor(schedule: 'original' | 'prompt', other: (logged: DecideSettings) => DecideSettings) {
    this.#recorded = new Player((logged) => logged, { decider: undecided, moves: true });
    const decider = schedule === 'prompt' ? { decider: promptDecider() } : {};
    this.#other = new Player(other, { ...decider, keep: true });
  }

  read(source: string): void {
    this.#line += 1;
    if (source.trim() === '') return;
    const line = parseLogLine(source);
    const at = Date.parse(source.slice(0, 20)) / 1000;
    if (line === undefined || Number.isNaN(at)) {
      this.unreadable.push(this.#line);
      return;
    }
    // What comes before the first whole state has nothing to stand on.
    this.#begun ||= line.kind === 'settings';
    if (!this.#begun) return;
    this.#since ??= at;
    this.#until = Math.max(this.#until, at);
    this.#recorded.take(line, at);
    this.#other.take(line, at);
  }

  /** Undefined: that was no state log. */
  end(): Comparison | undefined {
    if (this.#since === undefined) return undefined;
    const recorded = this.#recorded.end(this.#until);
    const other = this.#other.end(this.#until);
    const names = [...new Set([...recorded.keys(), ...other.keys()])].sort();
    return {
      since: this.#since,
      until: this.#until,
      hosts: names.map((host) => {
        return { host, recorded: recorded.get(host) ?? nothing, other: other.get(host) ?? nothing };
      }),
    };
  }
}

/** One of the two. */
class Player {
  readonly #replay: LogReplay;
  readonly #tally = new RouteTally();
  /** Hosts that the pass under way has touched, and when. */
  readonly #touched = new Map<string, number>();

  constructor(settings: (logged: DecideSettings) => DecideSettings, options: LogReplayOptions) {
    this.#replay = new LogReplay(settings, options);
  }

  take(line: LogLine, at: number): void {
    // The transitions of a pass follow its inputs: only then is it seen what became of it.
    if (line.kind === 'inputs' || line.kind === 'settings') this.#look();
    const pass = this.#replay.take(line);
    for (const { name } of pass?.decision.changes.hosts ?? []) this.#touched.set(name, pass?.now ?? at);
    if (line.kind === 'state') this.#touched.set(line.record.name, at);
    if (line.kind === 'host' || line.kind === 'address') this.#touched.set(line.host, line.time);
  }

  end(at: number): ReadonlyMap<string, Tally> {
    this.#replay.end();
    this.#look();
    return this.#tally.at(at);
  }

  #look(): void {
    const { state, settings } = this.#replay;
    if (settings === undefined) return;
    for (const [host, at] of this.#touched) {
      const entry = state.host(host);
      const lines = entry === undefined ? [] : presumedLines(entry, settings.defaultPolicy);
      this.#tally.look(
        host,
        at,
        lines.some(({ verdict }) => verdict === 'na'),
      );
    }
    this.#touched.clear();
  }
}

/** Lists and names alone: the verdicts are those of the log. */
function undecided(state: State, settings: DecideSettings, inputs: PassInputs): Decision {
  const draft = draftForChecks(state, settings, inputs);
  const lists = { added: [], changed: [], removed: [] };
  const none = { hostMoves: [], addressMoves: [], expired: new Map(), updates: [], policyChanged: false };
  return { changes: draft.changes(), lists, ...none };
}

/** The log has no results through exits, so a failure over the direct route confirms by itself. */
function promptDecider(): NonNullable<LogReplayOptions['decider']> {
  const prompt = { ...promptDefaults, exit: false };
  const live = new LiveStates(prompt);
  return (state, settings, { now, counted, lists, resolved, checked }) => {
    const results = checked.map(({ host, address, check, result }) => {
      return { host, address, check, at: counted, direct: result, exits: null };
    });
    const answers = resolved.map(({ host, addresses }) => {
      return { host, addresses, answered: true, failure: undefined, junk: [], surplus: 0 };
    });
    const inputs = {
      now,
      counted,
      at: counted,
      lists,
      resolved: answers,
      results,
      dead: new Set<string>(),
      choose: false,
    };
    const all = { ...settings, prompt, exits: [] };
    const decision = decidePrompt(state, all, inputs, (host, record) => live.of(host, record, counted));
    for (const { host, address, live: known } of decision.live) live.put(host, address, known);
    for (const [host, addresses] of decision.expired) for (const each of addresses) live.forget(host, each);
    for (const host of decision.lists.removed) live.forgetHost(host);
    return decision;
  };
}
