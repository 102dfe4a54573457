/** cgroup-nft: nftables rules by systemd unit that are in place before the unit's first packet. */
import type { ModuleDefinition } from '../core/module.ts';
import { type CgroupNftConfig, parseCgroupNft } from './config.ts';
import type { CgroupNftHost, CgroupNftPreflightHost } from './ports.ts';
import { preflight } from './preflight.ts';
import { RunningCgroupNft } from './running.ts';

export type { CgroupNftConfig } from './config.ts';
export type { CgroupNftHost, CgroupNftPreflightHost } from './ports.ts';
export type { CgroupNftDetail, UnitEntry } from './status.ts';

export const cgroupNftModule: ModuleDefinition<CgroupNftConfig, CgroupNftHost, CgroupNftPreflightHost> = {
  name: 'cgroup-nft',
  parse: parseCgroupNft,
  preflight,
  start: (config, host, signal) => RunningCgroupNft.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const cgroupNftPaths: readonly string[] = ['files.*'];
