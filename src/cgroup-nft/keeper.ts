/** What each keeper of a part of the ruleset is made with, and can be asked. */
import type { Backoff } from '../core/backoff.ts';
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import type { Nft } from '../system/ports.ts';
import type { CgroupTree, KernelRuleset } from '../system/unit-ports.ts';
import type { Members } from './living.ts';

export interface KeeperOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly board: WarningBoard;
  readonly nft: Nft;
  readonly kernel: KernelRuleset;
  /** Whether what `kernel` changes goes over the socket of `nft`. */
  readonly shared: boolean;
  readonly tree: CgroupTree;
  /** The cgroups that rules are about, as they live now. */
  readonly members: () => Members;
  /** Called when a keeper has done all that was due, or sees that it cannot. */
  readonly onQuiet: () => void;
}

/** `missing`: it waits for a chain or set of the administrator's; `failing`: it tries again in a while. */
export type KeeperState = 'busy' | 'done' | 'missing' | 'failing';

export const retry: Backoff = { first: 100, most: 30_000 };

/** A dead id matches nothing, ever: a short wait (ms) lets a burst of them be taken out at once, and never delays a new member. */
export const deadWait = 50;

export function tellFailure({ board }: KeeperOptions, subject: string, error: unknown): void {
  const [reason = ''] = describeError(error).split('\n', 1);
  board.raise('units-not-applied', subject, { reason: subject === '' ? reason : `${subject}: ${reason}` });
}
