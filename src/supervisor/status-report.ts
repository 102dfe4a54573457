/** What GET /status of the control socket answers, and the one-line summary for systemd (pure). */
import type { ActiveWarning } from '../core/warnings.ts';
import type { ModuleStatus } from './module-runner.ts';

export type SupervisorState = 'starting' | 'running' | 'reloading' | 'stopping' | 'stopped';

/** How the last reload ended. Times are wall clock, milliseconds since the epoch. */
export interface ReloadRecord {
  readonly at: number;
  readonly ok: boolean;
  /** One line a problem where it was rejected. */
  readonly problems: readonly string[];
  /** Milliseconds. */
  readonly took?: number;
}

/** JSON values only. */
export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly config: string;
  readonly state: SupervisorState;
  /** Every module has applied its first reconcile. */
  readonly ready: boolean;
  readonly startedAt: number;
  /** When this report was made. */
  readonly now: number;
  readonly modules: readonly ModuleStatus[];
  /** Of the supervisor and of all modules. */
  readonly warnings: readonly ActiveWarning[];
  readonly lastReload: ReloadRecord | undefined;
}

/** Such as `nbrpc: 3 of 120 services rerouted; 1 warning`. */
export function summarize(modules: readonly ModuleStatus[], warnings: number): string {
  const parts = modules.map((module) => `${module.name}: ${summaryOf(module)}`);
  if (warnings > 0) parts.push(warnings === 1 ? '1 warning' : `${warnings} warnings`);
  return parts.join('; ');
}

function summaryOf(module: ModuleStatus): string {
  if (module.state === 'running') return module.health?.summary ?? 'does not answer, and cannot be ended';
  if (module.state === 'waiting') return `ended (${module.lastError ?? 'no reason'}), starts again`;
  return module.state;
}
