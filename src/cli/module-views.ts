/** How `netsteward status` shows each module's own picture. */
import type { ModuleName } from '../core/module.ts';

type View = (detail: unknown, now: number) => readonly string[];

/** One line a module; one without a line shows its summary alone. */
const views: Partial<Readonly<Record<ModuleName, View>>> = {};

export function renderDetail(name: ModuleName, detail: unknown, now: number): readonly string[] {
  return views[name]?.(detail, now) ?? [];
}
