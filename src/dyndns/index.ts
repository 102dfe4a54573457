/** dyndns: names that follow their machines, by one signed packet. */
import type { ModuleDefinition } from '../core/module.ts';
import { type DyndnsConfig, parseDyndns } from './config.ts';
import { type DyndnsPreflightHost, preflight } from './preflight.ts';
import { type DyndnsHost, RunningDyndns } from './running.ts';

export type { DyndnsDetail } from './status.ts';

export const dyndnsModule: ModuleDefinition<DyndnsConfig, DyndnsHost, DyndnsPreflightHost> = {
  name: 'dyndns',
  parse: parseDyndns,
  preflight,
  start: (config, host, signal) => RunningDyndns.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const dyndnsPaths: readonly string[] = ['state', 'zone.*.file'];
