/** The ports that cgroup-nft uses. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { Files, Nft, RulesetEvents } from '../system/ports.ts';
import type { CgroupTree, Journal, KernelRuleset, UnitStarts } from '../system/unit-ports.ts';

export interface CgroupNftHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: Files;
  readonly tree: CgroupTree;
  readonly journal: Journal;
  readonly starts: UnitStarts;
  /** One netlink socket for as long as the module runs. Rejects with NetstewardError. */
  openNft(): Promise<Nft>;
  openEvents(): Promise<RulesetEvents>;
  openKernelSets(): Promise<KernelRuleset>;
}

/** For `netsteward check --host`: it only reads. */
export interface CgroupNftPreflightHost {
  readonly files: Files;
  readonly tree: CgroupTree | undefined;
  /** Whether this kernel has `socket cgroupv2`, tried with a throw-away rule; undefined where it cannot be tried. */
  socketCgroup(): Promise<boolean | undefined>;
  /** Why this process may not have this priority (-20 to 19); undefined: it may. */
  niceProblem(nice: number): string | undefined;
  /** Why this process may not have a real-time priority; undefined: it may. */
  realtimeProblem(): Promise<string | undefined>;
  /** Why the jobs of units cannot be read from the journal; undefined: they can. */
  journalProblem(): Promise<string | undefined>;
}
