/** The metrics of every part of netsteward: what makes them of a module's picture, and their definitions for the reference. */
import type { MetricDefinition } from '../core/metrics.ts';
import type { ModuleName } from '../core/module.ts';
import type { ModuleMetrics } from '../supervisor/metrics-render.ts';

interface ModulePart {
  readonly definitions: Readonly<Record<string, MetricDefinition>>;
  readonly metrics: ModuleMetrics;
}

/** One line a module; one without a line has no metrics but those that all have. */
const parts: ReadonlyMap<ModuleName, () => Promise<ModulePart>> = new Map<ModuleName, () => Promise<ModulePart>>([
  ['nbrpc', async () => part(await import('../nbrpc/metrics.ts'), 'nbrpcMetrics')],
  ['cgroup-nft', async () => part(await import('../cgroup-nft/metrics.ts'), 'cgroupNftMetrics')],
  ['dyndns', async () => part(await import('../dyndns/metrics.ts'), 'dyndnsMetrics')],
  ['dnstest', async () => part(await import('../dnstest/metrics.ts'), 'dnstestMetrics')],
]);

/** A module's metrics see its own detail alone. */
function part<Key extends string, Detail>(
  loaded: Readonly<Record<Key, ModulePart['definitions']>> & { metricsOf(detail: Detail): ReturnType<ModuleMetrics> },
  key: Key,
): ModulePart {
  return { definitions: loaded[key], metrics: (detail) => loaded.metricsOf(detail as Detail) };
}

export const moduleMetrics: ReadonlyMap<ModuleName, () => Promise<ModuleMetrics>> = new Map(
  [...parts].map(([name, load]) => [name, async () => (await load()).metrics]),
);

/** By the part that they are of, in the order of the reference. */
export async function allMetrics(): Promise<ReadonlyMap<string, readonly MetricDefinition[]>> {
  const { supervisorMetrics } = await import('../supervisor/metrics.ts');
  const all = new Map<string, readonly MetricDefinition[]>([['netsteward', Object.values(supervisorMetrics)]]);
  for (const [name, load] of parts) all.set(name, Object.values((await load()).definitions));
  return all;
}
