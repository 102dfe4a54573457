/** Fills the chains of units with their living rules, and knows what they hold and which rules nft has refused. */
import { type ChainsSink, type LivingRule, lacksChain } from './chains-sink.ts';
import type { KeeperOptions } from './keeper.ts';
import { livingRules, type Members, originOf } from './living.ts';
import type { ChainTarget } from './selection.ts';
import { complaintOf, isRefusal, lacksCgroup } from './sift.ts';

/** Refused statements of a unit that are remembered while their cgroups are away: instances of a template may be many. */
const mostRemembered = 64;
/** How often cgroups may vanish between look and act. */
const mostRaces = 5;

type Refused = ReadonlyMap<string, { readonly rule: LivingRule; readonly reason: string }>;

/** What is known of a unit's chain. */
interface UnitState {
  /** Rules in it; undefined: it may not be there. */
  readonly count: number | undefined;
  /** Statements that nft has refused, with its words. */
  readonly refused: Refused;
}

const unknown: UnitState = { count: undefined, refused: new Map() };

/** Of one chain of the administrator's. */
export class ChainRules {
  readonly #options: KeeperOptions;
  readonly #sink: ChainsSink;
  /** Whether it was a chain that was missing, this one or one of these units', and is seen to otherwise. */
  readonly #chainsGone: (units: Iterable<string>) => boolean;
  #target: ChainTarget;
  #units = new Map<string, UnitState>();

  constructor(
    options: KeeperOptions,
    sink: ChainsSink,
    target: ChainTarget,
    chainsGone: (units: Iterable<string>) => boolean,
  ) {
    this.#options = options;
    this.#sink = sink;
    this.#target = target;
    this.#chainsGone = chainsGone;
  }

  /** Other units and rules for the same chain. */
  configure(target: ChainTarget): void {
    for (const unit of this.#target.units.keys()) if (!target.units.has(unit)) this.#tellRefused(unit, unknown);
    this.#target = target;
    for (const unit of this.#units.keys()) if (!target.units.has(unit)) this.#units.delete(unit);
  }

  /** Nothing is known of any chain. */
  forget(): void {
    this.#units.clear();
  }

  /** Any chain may be gone. */
  forgetCounts(): void {
    this.#units = new Map([...this.#units].map(([unit, { refused }]) => [unit, { count: undefined, refused }]));
  }

  /** Takes its warnings back. */
  end(): void {
    for (const unit of this.#target.units.keys()) this.#tellRefused(unit, unknown);
  }

  /** Rules in the unit's chain; undefined: it may not be there. */
  countOf(unit: string): number | undefined {
    return this.#units.get(unit)?.count;
  }

  hasRefused(unit: string): boolean {
    return (this.#units.get(unit) ?? unknown).refused.size > 0;
  }

  /** Units with refused rules. */
  get refusing(): readonly string[] {
    return [...this.#units.keys()].filter((unit) => this.hasRefused(unit));
  }

  /** Living rules of a unit without those that nft is known to refuse: the good ones go first. */
  of(unit: string, members: Members): readonly LivingRule[] {
    const { refused } = this.#units.get(unit) ?? unknown;
    return livingRules(this.#target.units.get(unit) ?? [], members).filter(({ statement }) => !refused.has(statement));
  }

  /** Where nft refuses, in smaller and smaller transactions, until each unit has what it takes. Rejects with NftError. */
  async fill(units: ReadonlyMap<string, readonly LivingRule[]>): Promise<void> {
    const fresh = [...units.keys()].some((unit) => this.countOf(unit) === undefined);
    try {
      await this.#sink.fill(units, fresh);
      for (const [unit, rules] of units) this.#know(unit, rules.length);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (lacksChain(error) && !lacksCgroup(error) && this.#chainsGone(units.keys())) return;
      if (units.size === 1) {
        for (const unit of units.keys()) await this.fillAccepted(unit, true);
        return;
      }
      const half = units.size >> 1;
      await this.fill(new Map([...units].slice(0, half)));
      await this.fill(new Map([...units].slice(half)));
    }
  }

  /** One unit, with the rules that nft takes; `tried`: not all of them at once, as has been seen. Rejects with NftError. */
  async fillAccepted(unit: string, tried: boolean): Promise<void> {
    const { members, tree, log } = this.#options;
    for (let races = tried ? 1 : 0; ; races++) {
      // Without cgroups that are gone by now, of which we shall be told in a moment.
      const living = new Map([...members()].filter(([path, id]) => races === 0 || tree.id(path) === id));
      const rules = livingRules(this.#target.units.get(unit) ?? [], living);
      const refused = new Map<string, { rule: LivingRule; reason: string }>();
      const accepted =
        races === 0
          ? rules
          : await this.#sink.accepted(unit, rules, (rule, error) => {
              if (!isRefusal(error)) throw error;
              if (lacksCgroup(error)) log.debug('unit-rule-without-cgroup', { unit, rule: rule.origin });
              else refused.set(rule.statement, { rule, reason: complaintOf(error) });
            });
      try {
        await this.#sink.fill(new Map([[unit, accepted]]), true);
      } catch (error) {
        if (!isRefusal(error) || races === mostRaces) throw error;
        if (lacksChain(error) && !lacksCgroup(error) && this.#chainsGone([])) return;
        continue;
      }
      this.#remember(unit, new Set(rules.map(({ statement }) => statement)), refused);
      const state = { count: accepted.length, refused };
      // Unless another configuration came meanwhile.
      if (this.#target.units.has(unit)) {
        this.#units.set(unit, state);
        this.#tellRefused(unit, state);
      }
      return;
    }
  }

  /** Adds what was refused before and could not be `tried` now, since its cgroups are away: when they return, the good rules go first. */
  #remember(
    unit: string,
    tried: ReadonlySet<string>,
    refused: Map<string, { rule: LivingRule; reason: string }>,
  ): void {
    const rules = new Set(this.#target.units.get(unit)?.map((rule) => `${originOf(rule)} ${rule.statement}`));
    for (const [statement, known] of this.#units.get(unit)?.refused ?? []) {
      if (refused.size >= mostRemembered) return;
      const { origin, written } = known.rule;
      if (!tried.has(statement) && rules.has(`${origin} ${written}`)) refused.set(statement, known);
    }
  }

  #know(unit: string, count: number): void {
    if (!this.#target.units.has(unit)) return;
    const { refused } = this.#units.get(unit) ?? unknown;
    this.#units.set(unit, { count, refused });
    if (refused.size === 0) this.#tellRefused(unit, unknown);
  }

  #tellRefused(unit: string, { refused }: UnitState): void {
    const { board } = this.#options;
    const subject = `${this.#target.key} ${unit}`;
    const [one] = refused.values();
    if (one === undefined) board.clear('unit-rule-refused', subject);
    else {
      const rule = `${one.rule.origin}: ${one.rule.statement}`;
      board.raise('unit-rule-refused', subject, { unit, rule, reason: one.reason });
    }
  }
}
