/** Where in the tree the cgroups of a unit are: its own, and those of user managers' units of the same name. */
import type { CgroupTree } from '../system/unit-ports.ts';
import { directoryNames } from './unit-name.ts';

export interface UnitPlace {
  /** Relative to the tree's root. */
  readonly path: string;
  readonly id: bigint;
}

/** Every cgroup from the root down; the root itself is left out. */
export function* cgroupsOf(tree: Pick<CgroupTree, 'children' | 'id'>): Generator<UnitPlace> {
  const queue = [''];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const name of tree.children(path) ?? []) {
      const child = path === '' ? name : `${path}/${name}`;
      const id = tree.id(child);
      // Gone since.
      if (id === undefined) continue;
      yield { path: child, id };
      queue.push(child);
    }
  }
}

/** `unit`: a unit's name, or the path of a cgroup. Sorted. */
export function placesOf(tree: Pick<CgroupTree, 'children' | 'id'>, unit: string): readonly UnitPlace[] {
  if (unit.includes('/')) {
    const path = unit.split('/').filter(Boolean).join('/');
    const id = tree.id(path);
    return id === undefined ? [] : [{ path, id }];
  }
  const names: readonly string[] = directoryNames(unit);
  const found = [...cgroupsOf(tree)].filter(({ path }) => names.includes(path.slice(path.lastIndexOf('/') + 1)));
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
