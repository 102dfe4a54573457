/** A group of the configuration as the kernel's table marks it (pure). */
import type { GroupConfig } from './config.ts';
import type { MarkedGroup } from './groups-table.ts';

export function markedGroup({
  name,
  mark,
  mask,
  protocols,
  ports: ranges,
  directions: ways,
}: GroupConfig): MarkedGroup {
  return { name, mark, mask, protocols, ports: ranges, directions: ways };
}
