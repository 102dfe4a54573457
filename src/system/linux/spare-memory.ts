/** Gives back the memory that a program's start leaves behind: garbage, and what the C library keeps for later. */
//
// Loading and compiling some hundred files leaves each thread twice the JavaScript heap that it then needs, and V8 collects a heap
// where little is allocated late or never: for a service that mostly waits this is for good. glibc's allocator keeps what the
// compiler's threads have freed, in an arena for each of them (mallopt(3), M_ARENA_MAX).
import { getHeapStatistics } from 'node:v8';
import { isMainThread } from 'node:worker_threads';

/** mallopt(3), malloc.h */
const mArenaMax = -8;

/** Two: the threads that wait for files and names seldom allocate at once, and each has a small cache of its own (tcache). */
const arenas = 2;

interface Allocator {
  malloc_trim(pad: number): number;
  mallopt(parameter: number, value: number): number;
}

/**
 * For the whole process, as early as can be: threads that have an arena keep it. What MALLOC_ARENA_MAX says stays in force. A C
 * library without arenas does nothing.
 */
export async function limitArenas(): Promise<void> {
  if (process.env.MALLOC_ARENA_MAX === undefined) (await allocator())?.mallopt(mArenaMax, arenas);
}

/** Bytes in use. The pause grows with them, and what a start leaves is little beside a larger heap: V8 collects that by itself. */
const mostCollected = 64 * 1024 * 1024;

/**
 * Collects the garbage of this thread's heap and shrinks it; in a main thread it then gives the system what the allocator of the
 * whole process holds free. Never rejects. This thread stands still meanwhile: 20 to 100 ms for 10 MB of heap.
 */
export async function giveBackMemory(): Promise<void> {
  if (getHeapStatistics().used_heap_size <= mostCollected) await collectGarbage();
  if (isMainThread) (await allocator())?.malloc_trim(0);
}

/** Milliseconds: what a start leaves to be done at once is over, and so are the starts of the other modules. */
const soon = 5000;
/** After the threads, whose freed memory is the whole process's. */
const afterThreads = 3000;

let planned: NodeJS.Timeout | undefined;

/** Some seconds from now, so that nothing waits for it that wants to be ready. Once, however often it is asked for until then. */
export function giveBackSoon(): void {
  clearTimeout(planned);
  planned = setTimeout(() => void giveBackMemory(), isMainThread ? soon + afterThreads : soon).unref();
}

/**
 * By V8's LowMemoryNotification(), which gives the young space back too, as gc() of Node 20 does not. The inspector's protocol is the
 * one way to it; a session in the same thread opens no port and stops nothing. V8's flags stay as they are: to throw away compiled
 * code as well (`--stress-flush-code`) would save 3 MB more, but a flag that is set while threads run has ended the process (SIGSEGV).
 */
async function collectGarbage(): Promise<void> {
  try {
    const { Session } = await import('node:inspector');
    const session = new Session();
    session.connect();
    await new Promise<void>((done) => {
      session.post('HeapProfiler.collectGarbage', () => done());
    });
    session.disconnect();
  } catch {
    // A Node that was built without it: the memory stays with us.
  }
}

/** Of this very process, whichever C library it has; undefined where koffi does not load, or the library has no such calls (musl). */
async function allocator(): Promise<Allocator | undefined> {
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    return {
      malloc_trim: libc.func('int malloc_trim(size_t)') as Allocator['malloc_trim'],
      mallopt: libc.func('int mallopt(int, int)') as Allocator['mallopt'],
    };
  } catch {
    return undefined;
  }
}
