/** Takes away what an earlier run or configuration has left in the administrator's tables: our chains, jumps to them, our elements. */
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { refusalOf } from '../system/nft-error.ts';
import { type NftOperation, type NftTable, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelChain, KernelRuleset } from '../system/unit-ports.ts';
import { isOwnChain, unitChain, unitsChain } from './chain-names.ts';
import { isOwnComment } from './elements-sink.ts';
import { restOfOwnTable } from './groups-sink.ts';
import type { ChainTarget, SetTarget } from './selection.ts';

/** What is in use, and stays. */
export interface InUse {
  readonly chains: ReadonlyMap<string, ChainTarget>;
  readonly sets: ReadonlyMap<string, SetTarget>;
  /** Name of the own table where there are no groups: what bears it is of an earlier run. */
  readonly unusedTable?: string | undefined;
}

export interface LeftoverPorts {
  readonly nft: Nft;
  readonly kernel: KernelRuleset;
  readonly log: Logger;
}

/** How often others may change the ruleset between look and act. */
const mostRaces = 50;

/** How often chains are deleted that somebody uses. */
const mostTries = 3;

/** Rejects with NftError. */
export async function removeLeftovers(ports: LeftoverPorts, inUse: InUse): Promise<void> {
  removeElements(ports.kernel, inUse);
  if (inUse.unusedTable !== undefined) await removeTable(ports, { family: 'inet', name: inUse.unusedTable });
  for (const { table, names } of leftChains(ports.kernel.chains(), inUse)) await removeChains(ports, table, names);
}

/** A table with an owner is of another netsteward that runs; one with other names in it is somebody else's. */
async function removeTable({ nft, kernel }: LeftoverPorts, table: NftTable): Promise<void> {
  try {
    await nft.apply(nftScript(...restOfOwnTable(kernel, table)));
  } catch (error) {
    const foreign = error instanceof NetstewardError && error.code === 'table-foreign';
    if (!foreign && refusalOf(error) !== 'not-permitted') throw error;
  }
}

function removeElements(kernel: KernelRuleset, { sets }: InUse): void {
  const kept = new Set([...sets.values()].map(({ table, set }) => `${table.family} ${table.name} ${set}`));
  for (const { table, name, cgroups } of kernel.sets()) {
    if (!cgroups || kept.has(`${table.family} ${table.name} ${name}`)) continue;
    const ours = (kernel.elements(table, name) ?? []).filter(({ comment }) => isOwnComment(comment));
    kernel.removeElements(table, name, ours);
  }
}

interface LeftChains {
  readonly table: NftTable;
  readonly names: ReadonlySet<string>;
}

/** By table (pure). */
export function leftChains(found: readonly KernelChain[], { chains }: InUse): readonly LeftChains[] {
  const needed = new Set(
    [...chains.values()].flatMap(({ table, chain, units }) =>
      [unitsChain(chain), ...[...units.keys()].map((unit) => unitChain(chain, unit))].map(
        (name) => `${table.family} ${table.name} ${name}`,
      ),
    ),
  );
  const left = new Map<string, { table: NftTable; names: Set<string> }>();
  for (const { table, name, comment } of found) {
    const key = `${table.family} ${table.name}`;
    if (!isOwnChain(name, comment) || needed.has(`${key} ${name}`)) continue;
    const entry = left.get(key) ?? { table, names: new Set<string>() };
    entry.names.add(name);
    left.set(key, entry);
  }
  return [...left.values()];
}

async function removeChains(
  { nft, kernel, log }: LeftoverPorts,
  table: NftTable,
  names: ReadonlySet<string>,
): Promise<void> {
  const emptied = [...names].map((chain): NftOperation => ({ op: 'flush-chain', table, chain }));
  const deleted = [...names].map((chain): NftOperation => ({ op: 'delete-chain', table, chain }));
  for (let tries = 1; ; tries++) {
    dropJumps(kernel, table, names);
    try {
      return await nft.apply(nftScript(...emptied, ...deleted));
    } catch (error) {
      if (!/resource busy/.test(String(error))) throw error;
      // Others may just have loaded a listing, with jumps to them, on top of the ruleset.
      if (tries < mostTries) continue;
      // Somebody's rule uses one of them (EBUSY): empty it does nothing.
      log.debug('left-chain-in-use', { table: `${table.family} ${table.name}`, reason: String(error) });
      return await nft.apply(nftScript(...emptied));
    }
  }
}

/** Rules of others that do nothing but jump to one of these chains: we have put them there. */
function dropJumps(kernel: KernelRuleset, table: NftTable, names: ReadonlySet<string>): void {
  for (let races = 0; races < mostRaces; races++) {
    const generation = kernel.generation();
    const jumps = [...kernel.rulesOf(table)].flatMap(([chain, rules]) =>
      rules
        .filter(({ jump }) => jump !== undefined && names.has(jump) && !names.has(chain))
        .map(({ handle }) => ({ chain, handle })),
    );
    if (kernel.removeRules(table, jumps, generation)) return;
  }
}
