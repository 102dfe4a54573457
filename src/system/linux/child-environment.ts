/** What a child process of ours gets for an environment. */

/**
 * As ours, but for two variables. UV_THREADPOOL_SIZE: its many threads are for lookups of names (resolver-system.ts), of which a child
 * makes none, and libuv starts them all, at 20 kB each, with the first file that is read. MALLOC_ARENA_MAX: two where nothing is said
 * (spare-memory.ts), which a process cannot say to the threads that it begins with.
 */
export function childEnvironment(own: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { UV_THREADPOOL_SIZE: _, ...environment } = own;
  return { MALLOC_ARENA_MAX: '2', ...environment };
}
