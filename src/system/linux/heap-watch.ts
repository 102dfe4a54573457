/** Tells when this thread's JavaScript heap is nearly full: V8's own end of it can be the end of the whole process. */
//
// A worker thread that fills its heap gets ERR_WORKER_OUT_OF_MEMORY only where V8 can still make the little room that this takes.
// Where it wants one large piece (a Map of a million that grows), it ends the process instead. So the module is ended before.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** Of the limit: what may be in use after a full collection. */
const mostUsed = 0.8;
/** In a row: what is made between a collection and the look at it counts too, so that one time may be chance. */
const collections = 2;

const fullCollection = constants.NODE_PERFORMANCE_GC_MAJOR;

/** Calls `onFull` once. `heapLimit`: MB; V8's own where it is undefined. */
export function watchHeap(heapLimit: number | undefined, onFull: () => void): void {
  // V8's figure has the young space in it, three times; what lives long has only the other part.
  const limit = heapLimit === undefined ? getHeapStatistics().heap_size_limit : heapLimit * 1024 * 1024;
  let inARow = 0;
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some((entry) => kindOf(entry) === fullCollection)) return;
    inARow = getHeapStatistics().used_heap_size > limit * mostUsed ? inARow + 1 : 0;
    if (inARow < collections) return;
    observer.disconnect();
    onFull();
  });
  observer.observe({ entryTypes: ['gc'] });
}

function kindOf(entry: object): unknown {
  return (entry as { readonly detail?: { readonly kind?: unknown } }).detail?.kind;
}
