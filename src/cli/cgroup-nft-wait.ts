/** `netsteward cgroup-nft wait`: returns when the rules of the unit that it is started in are in the kernel (drop-ins "gate" and "nftset"). */
import { readFileSync } from 'node:fs';
import type { CgroupNftDetail } from '../cgroup-nft/index.ts';
import { directoryNames } from '../cgroup-nft/unit-name.ts';
import { type Clock, sleep, systemClock } from '../core/clock.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { CgroupTree, KernelSets } from '../system/unit-ports.ts';
import { setReference } from './cgroup-nft-drop-in.ts';
import { askControl } from './control-client.ts';
import { statusOf } from './control-shapes.ts';

const firstPause = 10;
const longestPause = 200;
/** Milliseconds for one question. */
const patience = 2000;

export interface WaitFlags {
  readonly timeout: string;
  readonly socket: string;
  /** FAMILY:TABLE:SET that systemd itself fills; without it netsteward is asked. */
  readonly set?: string;
}

/** A cgroup, its path relative to the tree's root. */
export interface OwnCgroup {
  readonly path: string;
  readonly id: bigint;
}

/** Rejects with NetstewardError `gate-closed` when the time is over. */
export async function waitForUnit(unit: string, { timeout, socket, set }: WaitFlags): Promise<ExitCode> {
  const limit = parseDuration(timeout);
  if (limit === undefined) throw new NetstewardError('usage', `--timeout must be a duration, not ${timeout}`);
  const { openTree, openSets } = await import('./compose-cgroup-nft.ts');
  const own = ownCgroup(await openTree(), unit, readFileSync('/proc/self/cgroup', 'utf8'));
  const remedy = `See netsteward cgroup-nft explain ${unit}; take the drop-in away to start the unit without its rules.`;
  if (set === undefined) {
    await waitUntil(unit, limit, remedy, () => whyNotApplied(socket, own));
    return exitCodes.ok;
  }
  const sets = await openSets();
  try {
    const hint = 'NFTSet= needs systemd 255, a unit of the system, and a kernel that lets systemd load BPF programs.';
    await waitUntil(unit, limit, `${hint} Take the drop-in away to start the unit all the same.`, async () =>
      whyNotInSet(sets, set, own),
    );
  } finally {
    sets.close();
  }
  return exitCodes.ok;
}

/** `look` gives what is still missing. Rejects with `gate-closed`. */
export async function waitUntil(
  unit: string,
  limit: number,
  remedy: string,
  look: () => Promise<string | undefined>,
  clock: Clock = systemClock,
): Promise<void> {
  const end = clock.monotonic() + limit;
  let reason: string | undefined;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      reason = await look();
    } catch (error) {
      reason = describeError(error);
    }
    if (reason === undefined) return;
    if (clock.monotonic() + pause > end) break;
    await sleep(clock, pause);
  }
  const text = `the rules of ${unit} were not there after ${formatDuration(limit)}: ${reason}`;
  throw new NetstewardError('gate-closed', text, { remedy });
}

/**
 * `text`: of /proc/self/cgroup (cgroups(7)); the line of cgroup2 begins with "0::". With Delegate= systemd may have put this
 * process into a cgroup below the unit's (systemd.resource-control(5), DelegateSubgroup=).
 */
export function ownCgroup(tree: Pick<CgroupTree, 'id'>, unit: string, text: string): OwnCgroup {
  const names = (/^0::\/(.*)$/m.exec(text)?.[1] ?? '').split('/');
  const directories: readonly string[] = directoryNames(unit);
  const at = names.findLastIndex((name) => directories.includes(name));
  const path = (at < 0 ? names : names.slice(0, at + 1)).join('/');
  return { path, id: tree.id(path) ?? 0n };
}

async function whyNotApplied(socket: string, own: OwnCgroup): Promise<string | undefined> {
  const report = statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: patience }));
  const module = report.modules.find(({ name }) => name === 'cgroup-nft');
  if (module === undefined) return 'netsteward runs without [cgroup-nft]';
  return whatIsMissing(module.health?.detail as CgroupNftDetail | undefined, own);
}

/** Undefined: all that names this cgroup is in the kernel. */
export function whatIsMissing(detail: CgroupNftDetail | undefined, own: OwnCgroup): string | undefined {
  if (detail === undefined) return 'cgroup-nft is not ready yet';
  const entry = detail.entries.find(({ path, id }) => path === own.path && id === String(own.id));
  if (entry === undefined) return `no group and no rule of netsteward names its cgroup "${own.path}"`;
  if (entry.since === null) return 'its rules are not applied yet';
  if (entry.lacking.length > 0) return `not in force: ${entry.lacking.join(', ')}`;
  return undefined;
}

export function whyNotInSet(kernel: Pick<KernelSets, 'cgroups'>, set: string, own: OwnCgroup): string | undefined {
  const { table, name } = setReference(set);
  const found = kernel.cgroups(table, name);
  if (found === undefined) return `there is no set ${set}`;
  return found.has(own.id) ? undefined : `systemd has not put its cgroup "${own.path}" into the set ${set}`;
}
