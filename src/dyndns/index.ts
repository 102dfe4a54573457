/** dyndns: names that follow their machines, by one signed packet. */
import type { ModuleDefinition } from '../core/module.ts';
import type { DyndnsConfig } from './config.ts';
import type { DyndnsPreflightHost } from './preflight.ts';
import type { DyndnsHost } from './running.ts';

export type { DyndnsDetail } from './status.ts';

export const dyndnsModule: ModuleDefinition<DyndnsConfig, DyndnsHost, DyndnsPreflightHost> = {
  name: 'dyndns',
  // The supervisor reads its configuration and looks at the machine, the thread or process of its own runs it: each loads its part.
  parse: async (table) => (await import('./config.ts')).parseDyndns(table),
  preflight: async (config, host) => (await import('./preflight.ts')).preflight(config, host),
  start: async (config, host, signal) => (await import('./running.ts')).RunningDyndns.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const dyndnsPaths: readonly string[] = ['state', 'zone.*.file'];
