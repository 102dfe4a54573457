/** What looks at the running service: events out of its log, their history, and its metrics. */
import { systemClock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { WarningBoard } from '../core/warnings.ts';
import { EventFeed } from '../supervisor/events-feed.ts';
import { tappedLog } from '../supervisor/events-tap.ts';
import type { HistoryConfig } from '../supervisor/general-config.ts';
import { History } from '../supervisor/history.ts';
import { LoopDelay } from '../supervisor/metrics-loop-delay.ts';
import type { StatusReport } from '../supervisor/status-report.ts';
import { SqliteStore } from '../system/linux/sqlite.ts';
import { moduleMetrics } from './metrics-modules.ts';
import { makingFolders } from './state-folder.ts';

export interface Looking {
  readonly history: History;
  readonly feed: EventFeed;
  metrics(status: () => Promise<StatusReport>): Promise<string>;
  close(): void;
}

export interface LookingOptions {
  readonly settings: HistoryConfig;
  /** Where the history's own warning goes. */
  readonly board: () => WarningBoard;
}

/** The log, and an ear that hears nothing until the history is there: its place is in the configuration, whose reading is logged. */
export function hearingLog(log: Logger): { readonly log: Logger; readonly attach: (feed: EventFeed) => void } {
  let feed: EventFeed | undefined;
  return {
    log: tappedLog(log, (line, fields) => feed?.hear(line, fields)),
    attach: (next) => {
      feed = next;
    },
  };
}

export function composeLooking({ settings, board }: LookingOptions): Looking {
  const history = new History(settings, {
    clock: systemClock,
    // Loaded with the first write: its library is native.
    store: { open: (path) => makingFolders(new SqliteStore()).open(path) },
    onTrouble: (file, reason) => {
      if (reason === undefined) board().clear('history-not-written', file);
      else board().raise('history-not-written', file, { file, reason });
    },
  });
  const feed = new EventFeed(systemClock, history);
  const loop = new LoopDelay(systemClock);
  return {
    history,
    feed,
    async metrics(status) {
      // Nothing of it is loaded before somebody asks.
      const { renderMetrics } = await import('../supervisor/metrics-render.ts');
      return renderMetrics({ status, feed, loop, figures, modules: moduleMetrics });
    },
    close() {
      loop.stop();
      history.close();
    },
  };
}

function figures() {
  const { user, system } = process.cpuUsage();
  return { resident: process.memoryUsage.rss(), cpu: (user + system) / 1e6 };
}
