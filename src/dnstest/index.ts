/** dnstest: resolvers asked what no cache can know, and cured when they fail. */
import type { ModuleDefinition } from '../core/module.ts';
import type { DnstestConfig } from './config.ts';
import type { DnstestHost } from './ports.ts';
import type { DnstestPreflightHost } from './preflight.ts';

export type { DnstestConfig } from './config.ts';
export type { DnstestHost } from './ports.ts';
export type { DnstestDetail, ResolverEntry, ServeEntry } from './status.ts';

export const dnstestModule: ModuleDefinition<DnstestConfig, DnstestHost, DnstestPreflightHost> = {
  name: 'dnstest',
  // The supervisor reads its configuration and looks at the machine, the thread or process of its own runs it: each loads its part.
  parse: async (table) => (await import('./config.ts')).parseDnstest(table),
  preflight: async (config, host) => (await import('./preflight.ts')).preflight(config, host),
  start: async (config, host, signal) => (await import('./running.ts')).RunningDnstest.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const dnstestPaths: readonly string[] = [
  'state',
  'ca',
  'hash_key_file',
  'serve.hash_key_file',
  'resolver.*.fallback_file',
];
