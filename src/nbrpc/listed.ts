/** The contents of the sets that hold every address of listed services, for those who note which of them are in use (pure). */
import type { SetContents } from '../system/ports.ts';
import { familyOf } from './address.ts';
import type { UseSets } from './flows.ts';
import type { StateView } from './state.ts';

/** Whatever their verdicts and policies; `never`: addresses that never enter a set. Empty where no such sets are kept. */
export function listedContents(
  state: StateView,
  names: Pick<UseSets, 'listed4' | 'listed6'>,
  never: ReadonlySet<string>,
): SetContents {
  const contents = new Map<string, Set<string>>();
  for (const name of [names.listed4, names.listed6]) if (name !== undefined) contents.set(name, new Set());
  if (contents.size === 0) return contents;
  for (const { addresses } of state.hosts()) {
    for (const address of addresses.keys()) {
      const name = names[`listed${familyOf(address)}`];
      if (name !== undefined && !never.has(address)) contents.get(name)?.add(address);
    }
  }
  return contents;
}
