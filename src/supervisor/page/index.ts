/** The status page: a module like others, so that it is started, watched, reloaded and ended like them, in a thread of its own. */
import type { ModuleDefinition } from '../../core/module.ts';
import type { PageConfig } from './config.ts';
import type { PageHost } from './ports.ts';
import type { PagePreflightHost } from './preflight.ts';

export type { PageConfig } from './config.ts';
export type { Asset, HistoryReader, PageControl, PageFiles, PageHost } from './ports.ts';
export type { PagePreflightHost } from './preflight.ts';
export type { PageDetail } from './running.ts';

export const pageModule: ModuleDefinition<PageConfig, PageHost, PagePreflightHost> = {
  name: 'page',
  // The supervisor reads its configuration and looks at the machine, the thread or process of its own runs it: each loads its part.
  parse: async (table) => (await import('./config.ts')).parsePage(table),
  preflight: async (config, host) => (await import('./preflight.ts')).preflight(config, host),
  start: async (config, host, signal) => (await import('./running.ts')).RunningPage.start(config, host, signal),
};

/** Keys that hold file names, for the supervisor to make absolute. */
export const pagePaths: readonly string[] = ['token_file'];
