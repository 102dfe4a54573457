/** Keeps one set of the administrator's at the elements of its units: new ones are added at once, dead ones taken out soon after. */
import type { Timer } from '../core/clock.ts';
import { refusalOf } from '../system/nft-error.ts';
import { Contest } from './contest.ts';
import { ElementsSink, type LivingElement, livingElements } from './elements-sink.ts';
import { deadWait, type KeeperOptions, type KeeperState, retry, tellFailure } from './keeper.ts';
import type { SetTarget } from './selection.ts';
import { complaintOf, isRefusal, lacksCgroup } from './sift.ts';
import type { Member } from './watch.ts';
import { WorkLoop } from './work-loop.ts';

export class ElementsKeeper {
  readonly #options: KeeperOptions;
  readonly #sink: ElementsSink;
  readonly #loop: WorkLoop;
  readonly #contest: Contest;
  #target: SetTarget;
  #whole = false;
  #suspect = false;
  /** Path to id. */
  #fresh = new Map<string, bigint>();
  #missing = false;
  #deadTimer: Timer | undefined;
  /** Until then (monotonic) others' changes are not looked at. */
  #restUntil = 0;
  /** What comparing last took, in milliseconds. */
  #lastLook = 0;
  /** Texts that nft has refused, with its words: not tried again before all is looked at anew. */
  #refused = new Map<string, { readonly element: LivingElement; readonly reason: string }>();

  constructor(options: KeeperOptions, target: SetTarget) {
    this.#options = options;
    this.#target = target;
    this.#contest = new Contest(options.clock, options.board, target.key);
    this.#sink = new ElementsSink(options.nft, options.kernel, target.table, target.set);
    this.#loop = new WorkLoop({
      clock: options.clock,
      retry,
      due: () => this.#due(),
      dueIn: () => (this.#suspect ? this.#restUntil - options.clock.monotonic() : undefined),
      step: () => this.#step(),
      onFailed: (error) => {
        this.#whole = true;
        tellFailure(options, target.key, error);
        options.onQuiet();
      },
      onQuiet: () => {
        this.#contest.changed();
        options.board.clear('units-not-applied', target.key);
        options.onQuiet();
      },
    });
  }

  get state(): KeeperState {
    if (this.#loop.failing) return 'failing';
    if (this.#missing) return 'missing';
    return this.#loop.idle && !this.#due() ? 'done' : 'busy';
  }

  appeared({ path, id }: Member): void {
    this.#fresh.set(path, id);
  }

  gone({ path, id }: Member): void {
    if (this.#fresh.get(path) === id) this.#fresh.delete(path);
    this.#deadTimer ??= this.#options.clock.after(Math.max(deadWait, 20 * this.#lastLook), () => {
      this.#deadTimer = undefined;
      this.#whole = true;
      this.#loop.wake();
    });
  }

  wake(): void {
    this.#loop.wake();
  }

  /** All is compared with what the kernel has. */
  remake(): void {
    this.#whole = true;
    this.#refused.clear();
  }

  /** Other elements for the same set. */
  configure(target: SetTarget): void {
    this.#clearRefused();
    this.#target = target;
    this.remake();
  }

  /** A job of this trigger unit, if it has elements here. */
  touch(unit: string): void {
    if (this.#target.elements.some((element) => element.unit === unit)) this.remake();
  }

  /** Others have changed something in a set of this name. */
  suspect(): void {
    this.#suspect = true;
    this.#loop.wake();
  }

  /** Rejects with what fails; elements that nft refuses, and a set that is missing, are warnings. */
  finish(): Promise<void> {
    return this.#loop.finish();
  }

  /** Resolves when nothing is under way any more. What is in the kernel stays. */
  async stop(): Promise<void> {
    this.#deadTimer?.cancel();
    await this.#loop.stop();
    this.#contest.end();
    const { board } = this.#options;
    board.clear('units-not-applied', this.#target.key);
    board.clear('unit-chain-missing', this.#target.key);
    this.#clearRefused();
  }

  #due(): boolean {
    if (this.#whole || this.#mayLook()) return true;
    return !this.#missing && this.#fresh.size > 0;
  }

  #mayLook(): boolean {
    return this.#suspect && this.#options.clock.monotonic() >= this.#restUntil;
  }

  async #step(): Promise<void> {
    if (!this.#missing && this.#fresh.size > 0) {
      const fresh = this.#fresh;
      this.#fresh = new Map();
      const { elements } = this.#target;
      return this.#add(livingElements(elements, fresh));
    }
    const { clock } = this.#options;
    const began = clock.monotonic();
    const byOthers = this.#suspect;
    if (byOthers) this.#refused.clear();
    this.#suspect = false;
    this.#whole = false;
    const differs = await this.#compare();
    const ended = clock.monotonic();
    this.#lastLook = ended - began;
    this.#restUntil = ended + this.#contest.looked(byOthers && differs, this.#lastLook);
  }

  /** Whether something was lacking. */
  async #compare(): Promise<boolean> {
    const { board, members } = this.#options;
    const { key, elements } = this.#target;
    const wanted = livingElements(elements, members());
    const lacking = this.#sink.tidy(wanted);
    this.#missing = lacking === undefined;
    if (lacking === undefined) {
      const units = String(new Set(elements.map(({ unit }) => unit)).size);
      board.raise('unit-chain-missing', key, { chain: `set ${key}`, units });
      return false;
    }
    board.clear('unit-chain-missing', key);
    const texts = new Set(wanted.map(({ text }) => text));
    this.#refused = new Map([...this.#refused].filter(([text]) => texts.has(text)));
    await this.#add(lacking);
    return lacking.length > 0;
  }

  async #add(elements: readonly LivingElement[]): Promise<void> {
    const tried = elements.filter(({ text }) => !this.#refused.has(text));
    try {
      await this.#sink.add(tried);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#addAccepted(tried);
    }
    this.#tellRefused();
    // nft has looked the ids up itself, and cgroups may have come and gone since.
    const members = this.#options.members();
    if (tried.some(({ path, id }) => members.get(path) !== id)) this.#whole = true;
  }

  async #addAccepted(elements: readonly LivingElement[]): Promise<void> {
    const { tree, log } = this.#options;
    // Of cgroups that are gone by now we shall be told in a moment.
    const living = elements.filter(({ path, id }) => tree.id(path) === id);
    let absent = false;
    const accepted = await this.#sink.accepted(living, (element, error) => {
      if (!isRefusal(error)) throw error;
      if (lacksCgroup(error)) log.debug('unit-element-without-cgroup', { unit: element.from.unit, path: element.path });
      else if (refusalOf(error) === 'missing' && !this.#sink.exists()) absent = true;
      else this.#refused.set(element.text, { element, reason: complaintOf(error) });
    });
    // The set is gone, which is seen when all is compared.
    if (absent) this.#whole = true;
    else await this.#sink.add(accepted);
  }

  #tellRefused(): void {
    const { board } = this.#options;
    const { key, elements } = this.#target;
    const bad = new Map([...this.#refused.values()].map((one) => [one.element.from.unit, one]));
    for (const unit of new Set(elements.map((element) => element.unit))) {
      const one = bad.get(unit);
      if (one === undefined) board.clear('unit-rule-refused', `${key} ${unit}`);
      else {
        const { place } = one.element.from;
        const rule = `${place.file}:${place.line}: { ${one.element.text} }`;
        board.raise('unit-rule-refused', `${key} ${unit}`, { unit, rule, reason: one.reason });
      }
    }
  }

  #clearRefused(): void {
    this.#refused.clear();
    this.#tellRefused();
  }
}
