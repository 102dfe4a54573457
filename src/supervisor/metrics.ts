/** Metrics of the supervisor itself (pure). */
import { type Metric, type MetricDefinition, measured, timestamp } from '../core/metrics.ts';
import type { EventCount } from './events-feed.ts';
import type { StatusReport } from './status-report.ts';

export const supervisorMetrics = {
  build: {
    name: 'netsteward_build_info',
    help: 'Always 1; its label is the version.',
    type: 'gauge',
    unit: 'always 1',
    labels: ['version'],
  },
  started: {
    name: 'netsteward_start_timestamp_seconds',
    help: 'When netsteward was started.',
    type: 'gauge',
    unit: 'seconds since the epoch',
    labels: [],
  },
  ready: {
    name: 'netsteward_ready',
    help: '1 while every module runs, and has applied what it wants at least once.',
    type: 'gauge',
    unit: '0 or 1',
    labels: [],
  },
  up: {
    name: 'netsteward_module_up',
    help: '1 while the module runs; 0 while it starts, or waits to be started again.',
    type: 'gauge',
    unit: '0 or 1',
    labels: ['module'],
  },
  restarts: {
    name: 'netsteward_module_restarts_total',
    help: 'How often the module was started again after it had ended.',
    type: 'counter',
    unit: 'restarts',
    labels: ['module'],
  },
  warnings: {
    name: 'netsteward_warnings',
    help: 'Warnings that hold now, of netsteward and of all modules, by code.',
    type: 'gauge',
    unit: 'warnings',
    labels: ['code', 'severity'],
  },
  events: {
    name: 'netsteward_events_total',
    help: 'Changes since the start, by code, as `netsteward events` lists them.',
    type: 'counter',
    unit: 'events',
    labels: ['module', 'code'],
  },
  reloaded: {
    name: 'netsteward_last_reload_timestamp_seconds',
    help: 'When the configuration was last read again.',
    type: 'gauge',
    unit: 'seconds since the epoch',
    labels: [],
  },
  reloadTaken: {
    name: 'netsteward_last_reload_successful',
    help: '1 when the last reload was taken, 0 when it was rejected.',
    type: 'gauge',
    unit: '0 or 1',
    labels: [],
  },
  reloadTook: {
    name: 'netsteward_last_reload_duration_seconds',
    help: 'How long the last reload took.',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
  },
  loopDelay: {
    name: 'netsteward_event_loop_delay_max_seconds',
    help: 'The longest time that the event loop of the supervisor stood still in the last minute.',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
  },
  memory: {
    name: 'netsteward_resident_memory_bytes',
    help: 'Memory of the process, with the modules that are threads of it, and without those that are processes.',
    type: 'gauge',
    unit: 'bytes',
    labels: [],
  },
  cpu: {
    name: 'netsteward_cpu_seconds_total',
    help: 'CPU time of the process, with the modules that are threads of it.',
    type: 'counter',
    unit: 'seconds',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

export interface ProcessFigures {
  /** Bytes. */
  readonly resident: number;
  /** Seconds. */
  readonly cpu: number;
}

export interface SupervisorFigures extends ProcessFigures {
  readonly events: readonly EventCount[];
  /** Milliseconds. */
  readonly loopDelay: number;
}

export function metricsOf(report: StatusReport, figures: SupervisorFigures): readonly Metric[] {
  const { version, startedAt, ready, modules, warnings, lastReload } = report;
  const m = supervisorMetrics;
  const byModule = (value: (module: StatusReport['modules'][number]) => number) =>
    modules.map((module) => ({ labels: { module: module.name }, value: value(module) }));
  const codes = [...new Set(warnings.map(({ code }) => code))];
  const events = figures.events.map(({ module, code, count }) => ({ labels: { module, code }, value: count }));
  const reload = lastReload === undefined ? [] : [lastReload];
  return [
    measured(m.build, [{ labels: { version }, value: 1 }]),
    measured(m.started, timestamp(startedAt)),
    measured(m.ready, ready ? 1 : 0),
    measured(
      m.up,
      byModule(({ state }) => (state === 'running' ? 1 : 0)),
    ),
    measured(
      m.restarts,
      byModule(({ restarts }) => restarts),
    ),
    measured(
      m.warnings,
      codes.map((code) => {
        const held = warnings.filter((warning) => warning.code === code);
        return { labels: { code, severity: held[0]?.severity ?? 'warning' }, value: held.length };
      }),
    ),
    measured(m.events, events),
    measured(m.reloaded, timestamp(lastReload?.at)),
    measured(
      m.reloadTaken,
      reload.map(({ ok }) => ({ labels: {}, value: ok ? 1 : 0 })),
    ),
    measured(
      m.reloadTook,
      reload.flatMap(({ took }) => timestamp(took)),
    ),
    measured(m.loopDelay, figures.loopDelay / 1000),
    measured(m.memory, figures.resident),
    measured(m.cpu, figures.cpu),
  ];
}
