/** Units whose rules came late at their last start, as warnings: of many the latest, since transient units have ever new names. */
import { formatDuration } from '../core/duration.ts';
import type { WarningBoard } from '../core/warnings.ts';

/** More than anybody reads; each run of systemd-run(1) may be another unit. */
export const mostLate = 100;

export class LateUnits {
  readonly #board: WarningBoard;
  /** The latest last. */
  readonly #units = new Set<string>();

  constructor(board: WarningBoard) {
    this.#board = board;
  }

  /** `margin`: milliseconds from the rules in the kernel to the start of the unit's process; negative: they came late. */
  measured(unit: string, margin: number): void {
    this.#forget(unit, margin >= 0);
    if (margin >= 0) return;
    this.#units.add(unit);
    this.#board.raise('unit-rule-late', unit, { unit, late: formatDuration(Math.ceil(-margin)) });
    const [first] = this.#units;
    if (this.#units.size > mostLate && first !== undefined) this.#forget(first, true);
  }

  /** Other rules are in force: of units that are not among these, nothing is to be said any more. */
  keep(units: ReadonlySet<string>): void {
    for (const unit of this.#units) if (!units.has(unit)) this.#forget(unit, true);
  }

  #forget(unit: string, clear: boolean): void {
    if (this.#units.delete(unit) && clear) this.#board.clear('unit-rule-late', unit);
  }
}
