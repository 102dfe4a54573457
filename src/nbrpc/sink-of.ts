/** Where the verdicts of a parsed configuration go (pure). */
import type { NbrpcConfig, NbrpcSets, NbrpcTable } from './config.ts';
import { type SinkExits, sinkExits } from './exits.ts';
import { type SinkFlows, sinkFlows } from './flows.ts';
import type { NbrpcGuard } from './guard-config.ts';

/** Where verdicts go: a table of our own, or sets of the administrator's ruleset. */
export type Sink = (
  | { readonly kind: 'table'; readonly table: NbrpcTable; readonly guard?: NbrpcGuard }
  | { readonly kind: 'sets'; readonly sets: NbrpcSets }
) & {
  /** The socket of an nft-agent that is a service of its own; a child process where absent. */
  readonly agent?: string;
} & SinkExits &
  SinkFlows;

/** What `[nbrpc.table]` is where a configuration says nothing of it. */
export const usualTable = {
  name: 'netsteward-nbrpc',
  mark: 0x10000,
  mask: 0x10000,
  mark_forwarded: true,
  mark_own: true,
  exempt_source_ports: { first: 61_000, last: 64_999 },
};

export function sinkOf(config: NbrpcConfig): Sink {
  const agent = { ...(config.agent === undefined ? {} : { agent: config.agent }), ...sinkFlows(config) };
  if (config.sets !== undefined) return { kind: 'sets', sets: config.sets, ...sinkExits(config, 0), ...agent };
  const own = config.table ?? usualTable;
  return { kind: 'table', table: own, ...guardInForce(config), ...sinkExits(config, own.mark), ...agent };
}

/** The guard as a part of a sink: nothing where nothing is to be dropped. */
function guardInForce({ while_down: whileDown, guard: found }: Pick<NbrpcConfig, 'while_down' | 'guard'>): {
  readonly guard?: NbrpcGuard;
} {
  return whileDown === 'drop' && found !== undefined ? { guard: found } : {};
}
