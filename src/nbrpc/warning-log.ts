/** Warnings that come and go, in the log too. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import { WarningBoard } from '../core/warnings.ts';

export function loggedWarnings(clock: Clock, log: Logger): WarningBoard {
  return new WarningBoard(
    () => clock.now(),
    (change, { code, subject, text, severity, remedy }) => {
      const level = change === 'cleared' ? 'info' : severity === 'error' ? 'error' : 'warn';
      log[level](`warning-${change}`, { code, subject, text, remedy });
    },
  );
}
