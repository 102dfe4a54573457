/** cgroup-nft: nftables rules by systemd unit that are in place before the unit's first packet. */
import type { ModuleDefinition } from '../core/module.ts';
import type { CgroupNftConfig } from './config.ts';
import type { CgroupNftHost, CgroupNftPreflightHost } from './ports.ts';

export type { CgroupNftConfig } from './config.ts';
export type { CgroupNftHost, CgroupNftPreflightHost } from './ports.ts';
export type { CgroupNftDetail, UnitEntry } from './status.ts';

export const cgroupNftModule: ModuleDefinition<CgroupNftConfig, CgroupNftHost, CgroupNftPreflightHost> = {
  name: 'cgroup-nft',
  // The supervisor reads its configuration and looks at the machine, the thread or process of its own runs it: each loads its part.
  parse: async (table) => (await import('./config.ts')).parseCgroupNft(table),
  preflight: async (config, host) => (await import('./preflight.ts')).preflight(config, host),
  start: async (config, host, signal) => (await import('./running.ts')).RunningCgroupNft.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const cgroupNftPaths: readonly string[] = ['files.*'];
