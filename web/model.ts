/** What the page knows: the state as the server's patches have made it (pure). */
import type { EventRow, ListPatch, PageState, StatePatch } from '../src/supervisor/page/shapes.ts';

type Lists = 'modules' | 'warnings' | 'services' | 'units' | 'names' | 'resolvers';
type Heads = 'service' | 'access' | 'nbrpc' | 'cgroupNft' | 'dyndns' | 'dnstest';

/** Parts of the page that have to be looked at again. */
export type Part = Lists | Heads;

export type Model = Partial<Omit<PageState, Lists>> & Pick<PageState, Lists>;

export const nothingKnown: Model = { modules: [], warnings: [], services: [], units: [], names: [], resolvers: [] };

const lists: readonly Lists[] = ['modules', 'warnings', 'services', 'units', 'names', 'resolvers'];
const heads: readonly Heads[] = ['service', 'access', 'nbrpc', 'cgroupNft', 'dyndns', 'dnstest'];

/** What the patch makes of it; rows that it does not name stay the same objects. `changed` gets the parts that it touches. */
export function patched(model: Model, patch: StatePatch, changed: { add(part: Part): unknown }): Model {
  const base = patch.full ? nothingKnown : model;
  const next: Record<string, unknown> = { ...base, at: patch.at };
  for (const name of heads) {
    if (patch[name] === undefined) continue;
    next[name] = patch[name];
    changed.add(name);
  }
  for (const name of lists) {
    const list: ListPatch<{ readonly id: string }> | undefined = patch[name];
    if (list === undefined && !patch.full) continue;
    next[name] = list === undefined ? [] : merged(patch.full ? [] : model[name], list);
    changed.add(name);
  }
  return next as Model;
}

function merged<Row extends { readonly id: string }>(rows: readonly Row[], patch: ListPatch<Row>): readonly Row[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const id of patch.gone) byId.delete(id);
  for (const row of patch.put) byId.set(row.id, row);
  if (patch.order === undefined) return [...byId.values()];
  return patch.order.flatMap((id) => byId.get(id) ?? []);
}

/** The newest first, at most so many. */
export function withEvents(events: readonly EventRow[], more: readonly EventRow[], most: number): readonly EventRow[] {
  return [...more, ...events].slice(0, most);
}
