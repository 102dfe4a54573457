/** The inside of a process or thread for carrier.test.ts: the scripted module, served as the real program serves a real one. */
import { isMainThread } from 'node:worker_threads';
import { systemClock } from '../../src/core/clock.ts';
import { serveModule } from '../../src/supervisor/module-server.ts';
import { processLink } from '../../src/system/linux/module-process.ts';
import { workerLink } from '../../src/system/linux/module-worker.ts';
import { scriptedModule } from '../fakes/scripted-module.ts';

serveModule({
  link: isMainThread ? processLink(64) : workerLink(),
  bind: async (log) => scriptedModule(log),
  clock: systemClock,
  version: process.argv[2] ?? '',
});
