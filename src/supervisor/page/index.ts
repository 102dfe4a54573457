/** The status page: a module like others, so that it is started, watched, reloaded and ended like them, in a thread of its own. */
import type { ModuleDefinition } from '../../core/module.ts';
import { type PageConfig, parsePage } from './config.ts';
import type { PageHost } from './ports.ts';
import { type PagePreflightHost, preflight } from './preflight.ts';
import { RunningPage } from './running.ts';

export { type PageConfig, pagePaths } from './config.ts';
export type { Asset, HistoryReader, PageControl, PageFiles, PageHost } from './ports.ts';
export type { PagePreflightHost } from './preflight.ts';
export type { PageDetail } from './running.ts';

export const pageModule: ModuleDefinition<PageConfig, PageHost, PagePreflightHost> = {
  name: 'page',
  parse: parsePage,
  preflight,
  start: (config, host, signal) => RunningPage.start(config, host, signal),
};
