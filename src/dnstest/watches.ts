/** All resolvers under watch together: their loops, what is told of them, warnings, and what is kept in the file. */
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger, LogLevel } from '../core/log.ts';
import { type ActiveWarning, WarningBoard, type WarningCode } from '../core/warnings.ts';
import type { CheckResult } from './check-result.ts';
import { nameOf } from './cures.ts';
import { type Happening, type HappeningKind, remember } from './history.ts';
import type { Ladder } from './ladder.ts';
import { ResolverWatch, type ResolverWatchOptions, type ResolverWatchPorts } from './resolver-watch.ts';
import type { WatchStore } from './watch-store.ts';
import { type Excuse, newWatch } from './watchdog.ts';

/** One resolver, and the ports that are its own. */
export interface Watched extends Omit<ResolverWatchOptions, 'state'> {
  readonly ports: Omit<ResolverWatchPorts, 'tell' | 'changed' | 'checked' | 'clock'>;
}

export interface WatchesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly watched: readonly Watched[];
  /** Undefined: nothing outlives the process. */
  readonly store: WatchStore | undefined;
  /** How far up the ladder a resolver is that was watched before, by label. */
  readonly ladders: (label: string) => Ladder;
  readonly history?: readonly Happening[];
  /** Called after each step of a resolver. */
  readonly changed?: () => void;
}

const levels: Readonly<Record<HappeningKind, LogLevel>> = {
  failed: 'error',
  recovered: 'info',
  cured: 'info',
  cure: 'warn',
  'cure-failed': 'error',
  rest: 'warn',
  'put-back': 'info',
  'put-back-failed': 'error',
  'left-changed': 'warn',
  excused: 'warn',
};

export class Watches {
  readonly #options: WatchesOptions;
  readonly #board: WarningBoard;
  readonly all: readonly ResolverWatch[];
  #history: readonly Happening[];
  /** Not in the file yet. */
  #unsaved: readonly Happening[] = [];
  #saved: ReadonlyMap<string, Ladder> = new Map();

  constructor(options: WatchesOptions) {
    const { clock, watched, ladders, history = [] } = options;
    this.#options = options;
    this.#history = history;
    // What has happened is in the log already.
    this.#board = new WarningBoard(
      () => clock.now(),
      () => {},
    );
    this.all = watched.map(
      ({ ports, ...one }) =>
        new ResolverWatch(
          { ...one, state: { ...newWatch, ladder: ladders(one.label) } },
          {
            ...ports,
            clock,
            checked: (result) => this.#checked(one.label, result),
            tell: (kind, text) => this.#tell(one.label, kind, text),
            changed: () => this.#changed(),
          },
        ),
    );
  }

  get history(): readonly Happening[] {
    return this.#history;
  }

  get warnings(): readonly ActiveWarning[] {
    return this.#board.list();
  }

  /** Each resolver's loop, all at the same time; rejects with the first that rejects, the others are to be aborted then. */
  run(signal: AbortSignal): Promise<unknown> {
    return Promise.all(this.all.map((watch) => watch.run(signal)));
  }

  /** Resolves with the first resolver that fails. */
  async untilFailed(signal: AbortSignal): Promise<ResolverWatch> {
    return Promise.race(
      this.all.map(async (watch) => {
        await watch.run(signal, { untilFailed: true });
        return watch;
      }),
    );
  }

  /** The line that the history counts (src/supervisor/events-feed.ts). */
  #checked(resolver: string, { name, elapsed, failure }: CheckResult): void {
    const ms = Math.round(elapsed * 10) / 10;
    const outcome = failure?.kind ?? 'ok';
    this.#options.log.debug('resolver-checked', {
      resolver,
      outcome,
      ms,
      name,
      ...(failure === undefined ? {} : { text: failure.text }),
    });
  }

  #tell(resolver: string, kind: HappeningKind, text: string): void {
    const { clock, log } = this.#options;
    log[levels[kind]](`resolver-${kind}`, { resolver, text });
    const happening = { at: clock.now(), resolver, kind, text };
    this.#history = remember(this.#history, happening);
    this.#unsaved = remember(this.#unsaved, happening);
  }

  #changed(): void {
    this.#warn();
    this.#save();
    this.#options.changed?.();
  }

  #warn(): void {
    const board = this.#board;
    const switched = new Set<string>();
    for (const { label: resolver, state, switched: files, cures } of this.all) {
      const { failing, excused, ladder } = state;
      if (failing === undefined) board.clear('resolver-failing', resolver);
      else {
        const tried = cures.slice(0, ladder.next).map(nameOf);
        const text = cures.length === 0 ? 'it has no cures' : `tried: ${tried.join(', ')}`;
        board.raise('resolver-failing', resolver, { resolver, reason: failing.failure.text, cures: text });
      }
      for (const [code, causes] of excuses) {
        if (excused !== undefined && causes.includes(excused.cause)) {
          board.raise(code, resolver, { resolver, reason: excused.text });
        } else board.clear(code, resolver);
      }
      for (const file of files) {
        switched.add(file);
        board.raise('resolver-fallback', file, { file, resolver });
      }
    }
    board.clearOthers('resolver-fallback', switched);
  }

  #save(): void {
    const { store, log } = this.#options;
    if (store === undefined) return;
    const changed = new Map(
      this.all
        .filter(({ label, state }) => this.#saved.get(label) !== state.ladder)
        .map((one) => [one.label, one.state.ladder]),
    );
    if (changed.size === 0 && this.#unsaved.length === 0) return;
    try {
      store.save(changed, this.#unsaved);
      this.#saved = new Map([...this.#saved, ...changed]);
      this.#unsaved = [];
      this.#board.clear('dnstest-state-not-saved', 'state');
    } catch (error) {
      const reason = describeError(error);
      if (!this.warnings.some(({ code }) => code === 'dnstest-state-not-saved'))
        log.warn('dnstest-state-not-saved', { reason });
      this.#board.raise('dnstest-state-not-saved', 'state', { reason });
    }
  }
}

const excuses: readonly (readonly [WarningCode, readonly Excuse[]])[] = [
  ['test-zone-down', ['zone']],
  ['resolver-not-judged', ['network', 'memory', 'local']],
];
