/** Abort signals and slots for thousands of probes at once: one listener a signal, and a place in a queue that an abort gives up. */
import type { LimitFunction } from 'p-limit';

// EventTarget walks its whole list at each addEventListener: with thousands of probes on one signal that is quadratic.
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `action` when the signal aborts; the result takes it back. The signal must not have aborted yet. */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  let actions = waiting.get(signal);
  if (actions === undefined) {
    const made = new Set<() => void>();
    actions = made;
    waiting.set(signal, made);
    const callAll = (): void => {
      for (const each of made) each();
    };
    signal.addEventListener('abort', callAll, { once: true });
  }
  const mine = actions;
  mine.add(action);
  return () => void mine.delete(action);
}

/**
 * Runs `work` in a slot of `limit`. The slot is free again when the work ends, or sooner when the work calls `release`.
 * Rejects with the signal's reason if it aborts while the work waits; once started, obeying the signal is up to the work.
 */
export function inSlot<Result>(
  limit: LimitFunction,
  signal: AbortSignal,
  work: (release: () => void) => Promise<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const forget = onAbort(signal, () => reject(signal.reason));
    void limit(() => {
      forget();
      if (signal.aborted) return undefined;
      return new Promise<void>((release) => {
        work(release).then(resolve, reject).finally(release);
      });
    });
  });
}
