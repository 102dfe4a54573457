/** A promise that is waited for, but not for ever. */
import type { Clock } from '../core/clock.ts';

/** `'timeout'` when `work` takes longer than `ms`; its later outcome is then ignored. Rejects as `work` does within the time. */
export function within<Value>(clock: Clock, ms: number, work: Promise<Value>): Promise<Value | 'timeout'> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve('timeout'));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
