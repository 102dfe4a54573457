/** A supervisor for carrier.test.ts to kill: starts the scripted module as a process, prints its pid, and stays. */
import { systemClock } from '../../src/core/clock.ts';
import { startRemote } from '../../src/supervisor/remote-module.ts';
import { processCarrier } from '../../src/system/linux/module-process.ts';
import { MemoryLog } from '../fakes/memory-log.ts';
import type { ScriptedDetail } from '../fakes/scripted-module.ts';

const [, , entry = '', file = ''] = process.argv;
const running = await startRemote(
  {
    name: 'dyndns',
    open: processCarrier({ entry, args: ['1'] }),
    clock: systemClock,
    log: new MemoryLog(),
    version: '1',
    pingInterval: 10_000,
    hangLimit: 30_000,
  },
  { file },
  new AbortController().signal,
);
await running.refresh?.();
process.stdout.write(`${(running.health().detail as ScriptedDetail).pid}\n`);
