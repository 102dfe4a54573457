/** `netsteward status` for people (pure). */
import { formatDuration } from '../core/duration.ts';
import { printable } from '../core/printable.ts';
import type { ActiveWarning } from '../core/warnings.ts';
import type { ModuleStatus } from '../supervisor/module-runner.ts';
import type { StatusReport } from '../supervisor/status-report.ts';
import { renderDetail } from './module-views.ts';

export function renderStatus(report: StatusReport): string {
  const { version, pid, state, ready, config, now, startedAt } = report;
  const lines = [
    `netsteward ${version}, ${ready ? 'ready' : state}, running for ${formatDuration(now - startedAt)} (pid ${pid}, ${config})`,
  ];
  for (const module of report.modules) lines.push('', ...renderModule(module, now));
  const { lastReload, warnings } = report;
  if (lastReload?.ok === false) {
    lines.push(
      '',
      `The reload ${formatDuration(now - lastReload.at)} ago was rejected:`,
      ...lastReload.problems.map((each) => `  ${each}`),
    );
  }
  if (warnings.length > 0) lines.push('', 'Warnings:', ...warnings.flatMap((warning) => renderWarning(warning, now)));
  return `${lines.map(printable).join('\n')}\n`;
}

function renderModule({ name, state, since, restarts, lastError, health }: ModuleStatus, now: number): string[] {
  const again = restarts === 0 ? '' : `, started again ${restarts} time${restarts === 1 ? '' : 's'}`;
  const lines = [`${name}: ${state} for ${formatDuration(now - since)}${again}`];
  if (state !== 'running' && lastError !== undefined) lines.push(`  last error: ${lastError}`);
  if (health !== undefined)
    lines.push(`  ${health.summary}`, ...renderDetail(name, health.detail, now).map((line) => `  ${line}`));
  return lines;
}

function renderWarning({ severity, text, remedy, since }: ActiveWarning, now: number): string[] {
  return [`  ${severity}: ${text} (for ${formatDuration(now - since)})`, `    → ${remedy}`];
}
