/** How a module's process or thread fails, as both kinds tell it. */
import { NetstewardError } from '../../core/errors.ts';
import type { LinkListener } from '../carrier.ts';
import { watchHeap } from './heap-watch.ts';

/** `limit`: MB of JavaScript heap; undefined where it is Node's own. */
export function outOfMemory(limit: number | undefined): NetstewardError {
  const most = limit === undefined ? '' : ` of ${limit} MB`;
  return new NetstewardError('module-out-of-memory', `it has used up its memory${most}`, {
    remedy: 'If this comes again, give it less to hold: shorter lists, lower limits.',
  });
}

/** Inside of it: tells what nobody else follows. */
export function tellFailures(listener: LinkListener, heapLimit: number | undefined): void {
  watchHeap(heapLimit, () => listener.failing(outOfMemory(heapLimit)));
  process.on('uncaughtException', (error: unknown) => listener.uncaught(error));
}
