/** The status of a service that runs, with no module and nothing to tell. */
import type { StatusReport } from '../../src/supervisor/status-report.ts';

export const quietReport: StatusReport = {
  version: '1',
  pid: 1,
  config: 'n.toml',
  state: 'running',
  ready: true,
  startedAt: 0,
  now: 1,
  modules: [],
  warnings: [],
  lastReload: undefined,
};
