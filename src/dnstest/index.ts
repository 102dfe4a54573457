/** dnstest: resolvers asked what no cache can know, and cured when they fail. */
import type { ModuleDefinition } from '../core/module.ts';
import { type DnstestConfig, parseDnstest } from './config.ts';
import type { DnstestHost } from './ports.ts';
import { type DnstestPreflightHost, preflight } from './preflight.ts';
import { RunningDnstest } from './running.ts';

export { curesOf, type DnstestConfig } from './config.ts';
export { polkitRule } from './polkit-rule.ts';
export type { DnstestHost } from './ports.ts';
export type { DnstestDetail, ResolverEntry, ServeEntry } from './status.ts';

export const dnstestModule: ModuleDefinition<DnstestConfig, DnstestHost, DnstestPreflightHost> = {
  name: 'dnstest',
  parse: parseDnstest,
  preflight,
  start: (config, host, signal) => RunningDnstest.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const dnstestPaths: readonly string[] = [
  'state',
  'ca',
  'hash_key_file',
  'serve.hash_key_file',
  'resolver.*.fallback_file',
];
