/** Real adapters for cgroup-nft, in the supervisor and as the drop-in. */
import type { CgroupNftConfig, CgroupNftDetail, CgroupNftHost, CgroupNftPreflightHost } from '../cgroup-nft/index.ts';
import { systemClock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import { type Logger, silentLog } from '../core/log.ts';
import type { BoundModule } from '../supervisor/bound-module.ts';
import { bindModule } from '../supervisor/bound-module.ts';
import type { CgroupTree, KernelRuleset } from '../system/unit-ports.ts';
import type { RuleCheckPorts } from './cgroup-nft-check.ts';
import type { ExplainPorts } from './cgroup-nft-explain.ts';

/** Milliseconds; a status costs no I/O. */
const statusPatience = 5000;

export async function bindCgroupNft(log: Logger): Promise<BoundModule> {
  const { cgroupNftModule, cgroupNftPaths } = await import('../cgroup-nft/index.ts');
  const own = log.child({ module: 'cgroup-nft' });
  const bound = bindModule({
    definition: cgroupNftModule,
    paths: cgroupNftPaths,
    host: () => composeCgroupNft(own),
    preflightHost: composePreflight,
  });
  return {
    ...bound,
    async start(config, signal) {
      const running = await bound.start(config, signal);
      let inForce = config as CgroupNftConfig;
      await takePriority(inForce, own);
      return {
        ...running,
        async reload(next) {
          // Ten thousand rules take seconds: others may run meanwhile.
          await leavePriority();
          try {
            await running.reload(next);
            inForce = next as CgroupNftConfig;
          } finally {
            await takePriority(inForce, own);
          }
        },
      };
    },
  };
}

type Priority = Pick<CgroupNftConfig, 'nice' | 'realtime'>;

/** A refusal costs some speed while the machine is out of CPU time, and nothing else: the margins of starts tell. */
export async function takePriority({ nice, realtime }: Priority, log: Logger): Promise<void> {
  const { setNice } = await import('../system/linux/priority.ts');
  const reason = setNice(nice);
  if (reason !== undefined) {
    const remedy = `LimitNICE=${nice} in the unit of netsteward permits it, and so does CAP_SYS_NICE.`;
    log.info('priority-refused', { nice, reason, remedy });
  }
  if (!realtime) return;
  const { takeRealtime } = await import('../system/linux/realtime.ts');
  const refused = takeRealtime();
  if (refused === undefined) return;
  const remedy = `LimitRTPRIO=1 in the unit of netsteward permits it, and so does CAP_SYS_NICE; RestrictRealtime= forbids it.`;
  log.info('realtime-refused', { reason: refused, remedy });
}

async function leavePriority(): Promise<void> {
  const { leaveRealtime } = await import('../system/linux/realtime.ts');
  leaveRealtime();
}

/** Rejects with NetstewardError where there is no cgroup2 file system. */
export async function composeCgroupNft(log: Logger): Promise<CgroupNftHost> {
  const [{ LinuxFiles }, { openCgroupTree }, { JournalctlJournal }, { SystemctlStarts }, { openNft }] =
    await Promise.all([
      import('../system/linux/files.ts'),
      import('../system/linux/cgroupfs.ts'),
      import('../system/linux/journalctl.ts'),
      import('../system/linux/systemctl.ts'),
      import('../system/linux/nft-open.ts'),
    ]);
  const clock = systemClock;
  return {
    clock,
    log,
    files: new LinuxFiles(),
    tree: await openCgroupTree(),
    journal: new JournalctlJournal({ clock }),
    starts: new SystemctlStarts({ clock }),
    openNft,
    openEvents: async () => (await import('../system/linux/ruleset-events.ts')).openRulesetEvents(),
    openKernelSets: openSets,
  };
}

/** For `netsteward cgroup-nft check`. */
export async function composeRuleCheck(): Promise<RuleCheckPorts> {
  const [{ LinuxFiles }, { SystemctlProperties }] = await Promise.all([
    import('../system/linux/files.ts'),
    import('../system/linux/systemctl-show.ts'),
  ]);
  return {
    files: new LinuxFiles(),
    tree: await openTree().catch(() => undefined),
    units: new SystemctlProperties(),
    openNft: async () => (await import('../system/linux/nft-open.ts')).openNft(),
  };
}

/** For `netsteward cgroup-nft explain`; `socket`: control.socket of the service. Rejects where there is no cgroup2 file system. */
export async function composeExplain(socket: string): Promise<ExplainPorts> {
  const [{ LinuxFiles }, { SystemctlProperties }] = await Promise.all([
    import('../system/linux/files.ts'),
    import('../system/linux/systemctl-show.ts'),
  ]);
  return {
    files: new LinuxFiles(),
    tree: await openTree(),
    units: new SystemctlProperties(),
    openKernelSets: openSets,
    status: () => runningDetail(socket),
  };
}

/** What the running netsteward says of cgroup-nft; undefined where none runs with it, or it cannot be asked. */
async function runningDetail(socket: string): Promise<{ detail: CgroupNftDetail; now: number } | undefined> {
  const [{ askControl }, { statusOf }] = await Promise.all([
    import('./control-client.ts'),
    import('./control-shapes.ts'),
  ]);
  try {
    const answer = await askControl({ socket, method: 'GET', path: '/status', limit: statusPatience });
    const { modules, now } = statusOf(socket, answer);
    const detail = modules.find(({ name }) => name === 'cgroup-nft')?.health?.detail as CgroupNftDetail | undefined;
    return detail === undefined ? undefined : { detail, now };
  } catch (error) {
    if (error instanceof NetstewardError) return undefined;
    throw error;
  }
}

/** The `[cgroup-nft]` of a configuration file. Rejects with what loadConfiguration() rejects with, and `config-invalid`. */
export async function configuredCgroupNft(file: string): Promise<CgroupNftConfig> {
  const [{ loadConfiguration }, { composeRegistry, readText }] = await Promise.all([
    import('../supervisor/config.ts'),
    import('./compose.ts'),
  ]);
  const source = { file, overrides: [], workingDirectory: process.cwd() };
  const configuration = await loadConfiguration(source, composeRegistry(silentLog), readText);
  const found = configuration.modules.get('cgroup-nft');
  if (found !== undefined) return found.config as CgroupNftConfig;
  throw new NetstewardError('config-invalid', `${file} has no [cgroup-nft]`, {
    remedy: 'Name a file with rules in comments with --file, or another configuration with --config.',
  });
}

export async function openSets(): Promise<KernelRuleset> {
  return (await import('../system/linux/kernel-sets.ts')).NetlinkKernelSets.open();
}

export async function openTree(): Promise<CgroupTree> {
  return (await import('../system/linux/cgroupfs.ts')).openCgroupTree();
}

async function composePreflight(): Promise<CgroupNftPreflightHost> {
  const [{ LinuxFiles }, { niceProblem }, { journalProblem }] = await Promise.all([
    import('../system/linux/files.ts'),
    import('../system/linux/nice-tried.ts'),
    import('../system/linux/journalctl-look.ts'),
  ]);
  return {
    files: new LinuxFiles(),
    tree: await openTree().catch(() => undefined),
    socketCgroup: knowsSocketCgroup,
    niceProblem,
    realtimeProblem: async () => (await import('../system/linux/realtime-tried.ts')).realtimeProblem(),
    journalProblem,
  };
}

/** Tries a throw-away rule in nft's check mode; undefined where that may not be done. */
async function knowsSocketCgroup(): Promise<boolean | undefined> {
  const [{ openNft }, { socketMatchProbe }] = await Promise.all([
    import('../system/linux/nft-open.ts'),
    import('../cgroup-nft/socket-match.ts'),
  ]);
  try {
    const nft = await openNft();
    try {
      await nft.check(socketMatchProbe);
      return true;
    } catch {
      return false;
    } finally {
      await nft.close();
    }
  } catch {
    return undefined;
  }
}
