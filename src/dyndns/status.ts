/** The module's own picture for `netsteward status`: names, addresses, when they moved, by which key (pure). */
import type { ReplayState } from './replay.ts';
import { listBlock } from './zone-lint.ts';
import type { ZoneView } from './zone-view.ts';

/** Names that the picture has; the rest is only counted. */
const mostNames = 200;

export interface NameEntry {
  readonly zone: string;
  readonly name: string;
  readonly address: string;
  /** Ids of the keys that may move it. */
  readonly keys: readonly string[];
  /** Wall clock, milliseconds, of the newest packet of these keys; undefined: none was heard. */
  readonly heardAt?: number;
}

export interface DyndnsDetail {
  readonly listening: string;
  readonly names: readonly NameEntry[];
  readonly nameCount: number;
  /** What became of packets since the start, by kind. */
  readonly packets: Readonly<Record<string, number>>;
}

export function dyndnsDetail(
  listening: string,
  views: readonly ZoneView[],
  state: ReplayState,
  packets: Readonly<Record<string, number>>,
): DyndnsDetail {
  const names: NameEntry[] = [];
  let nameCount = 0;
  for (const { settings, zone } of views) {
    for (const block of zone.blocks) {
      nameCount += block.entries[4] + block.entries[6];
      if (names.length >= mostNames) continue;
      const keys = block.keys.map(({ id }) => id);
      for (const { name, address } of listBlock(zone, block).records.slice(0, mostNames - names.length)) {
        const heard = heardAt(state, keys, address.includes(':') ? 6 : 4);
        names.push({ zone: settings.file, name, address, keys, ...(heard === undefined ? {} : { heardAt: heard }) });
      }
    }
  }
  return { listening, names, nameCount, packets };
}

function heardAt(state: ReplayState, keys: readonly string[], family: 4 | 6): number | undefined {
  const times = keys.flatMap((id) => state.get(id)?.[family]?.acceptedAt ?? []);
  return times.length === 0 ? undefined : Math.max(...times) * 1000;
}
