/** What has changed between two pictures of the present (pure). */
import type { ListPatch, PageState, StatePatch } from './shapes.ts';

type ListKey = 'modules' | 'warnings' | 'services' | 'units' | 'names' | 'resolvers';
type ValueKey = 'service' | 'access' | 'nbrpc' | 'cgroupNft' | 'dyndns' | 'dnstest';
type Row = { readonly id: string };

const lists: readonly ListKey[] = ['modules', 'warnings', 'services', 'units', 'names', 'resolvers'];
const values: readonly ValueKey[] = ['service', 'access', 'nbrpc', 'cgroupNft', 'dyndns', 'dnstest'];

/** All there is, for who knows nothing yet. */
export function wholePatch(state: PageState): StatePatch {
  const whole = <Each extends Row>(put: readonly Each[]): ListPatch<Each> => ({ put, gone: [] });
  const { modules, warnings, services, units, names, resolvers, ...rest } = state;
  return {
    ...rest,
    full: true,
    modules: whole(modules),
    warnings: whole(warnings),
    services: whole(services),
    units: whole(units),
    names: whole(names),
    resolvers: whole(resolvers),
  };
}

/** Undefined where nothing but the time has changed. */
export function patchBetween(before: PageState, after: PageState): StatePatch | undefined {
  const changes: [string, unknown][] = values
    .filter((key) => text(before[key]) !== text(after[key]))
    .map((key) => [key, after[key]]);
  for (const key of lists) {
    const change = listPatch(before[key], after[key]);
    if (change !== undefined) changes.push([key, change]);
  }
  if (changes.length === 0) return undefined;
  return { at: after.at, full: false, ...Object.fromEntries(changes) };
}

function listPatch(before: readonly Row[], after: readonly Row[]): ListPatch<Row> | undefined {
  const known = new Map(before.map((row) => [row.id, text(row)]));
  const put = after.filter((row) => known.get(row.id) !== text(row));
  const ids = new Set(after.map(({ id }) => id));
  const gone = before.flatMap(({ id }) => (ids.has(id) ? [] : [id]));
  // Without news the rows that stay are in the order that they had.
  const order = after.map(({ id }) => id);
  const moved = text(order) !== text(before.map(({ id }) => id));
  if (put.length === 0 && gone.length === 0 && !moved) return undefined;
  return { put, gone, ...(moved ? { order } : {}) };
}

const text = (value: unknown): string => JSON.stringify(value);
