/** A table of our own: sets of addresses, and chains that mark packets to them. Owned where nft and kernel know how. */
import { guardOperations } from '../guard-table.ts';
import { inUseRules, inUseSets, listedSets } from '../in-use-table.ts';
import { refusalOf } from '../nft-error.ts';
import type { NftOperation, NftTable, RuleAction, RuleMatch, TableFlag } from '../nft-script.ts';
import { nftScript } from '../nft-script.ts';
import { isOwnSet, ownExitSets } from '../own-exits.ts';
import { type OwnNames, restOfTable, tableOwned } from '../own-table-rest.ts';
import type { Nft } from '../ports.ts';
import { TableOwnership } from '../table-ownership.ts';
import type { OnStop, OwnTableConfig, TableKind } from './nft-agent-protocol.ts';
import { restOfGuard } from './nft-guard-keeper.ts';
import {
  addOperations,
  applyOperations,
  type Contents,
  type Deltas,
  deltaOperations,
  type ReadContents,
  readSets,
  refillOperations,
  type SetHome,
  type SetSpec,
} from './nft-set-home.ts';

interface MarkedSet extends SetSpec {
  readonly mark: number;
}

/** Sets whose addresses are marked: of the one way around, or of each exit. */
function markedSets({ mark, exits }: OwnTableConfig): readonly MarkedSet[] {
  const sets = exits?.map((exit) => ({ ...ownExitSets(exit.name), mark: exit.mark }));
  return (sets ?? [{ blocked4: 'blocked4', blocked6: 'blocked6', mark }]).flatMap(
    ({ blocked4, blocked6, mark: own }) => [
      { name: blocked4, type: 'ipv4_addr', mark: own },
      { name: blocked6, type: 'ipv6_addr', mark: own },
    ],
  );
}

const dropSets = [
  { name: 'drop4', type: 'ipv4_addr' },
  { name: 'drop6', type: 'ipv6_addr' },
] as const satisfies readonly SetSpec[];

function droppedSets({ drops }: OwnTableConfig): readonly SetSpec[] {
  return drops === true ? dropSets : [];
}

/** Sets that say which way an address goes. */
export function routeSetsOf(config: OwnTableConfig): readonly string[] {
  return [...markedSets(config), ...droppedSets(config)].map(({ name }) => name);
}

const own: OwnNames = {
  chain: (name) => name === 'prerouting' || name === 'output',
  set: isOwnSet,
  key: 'nbrpc.table.name',
};

export class OwnTable implements SetHome {
  readonly table: NftTable;
  readonly sets: readonly SetSpec[];
  readonly mine = true;
  readonly #nft: Nft;
  readonly #config: OwnTableConfig;
  readonly #ownership = new TableOwnership();
  /** Whether this object has made the table, so that it is not one of somebody else. */
  #made = false;

  constructor(nft: Nft, config: OwnTableConfig) {
    this.#nft = nft;
    this.#config = config;
    this.table = { family: 'inet', name: config.name };
    this.sets = [
      ...markedSets(config).map(({ name, type }) => ({ name, type })),
      ...droppedSets(config),
      ...(config.inUse === true ? listedSets : []),
    ];
  }

  get kind(): TableKind | undefined {
    return this.#made ? this.#ownership.kind : undefined;
  }

  get reason(): string | undefined {
    return this.#ownership.reason;
  }

  /** An owner table changes only when its socket is closed, which happens behind our back with a child of its own alone. */
  get openToOthers(): boolean {
    return this.kind === 'plain' || this.#nft.kind !== 'libnftables';
  }

  async inspect(): Promise<void> {}

  async fill(contents: Contents): Promise<void> {
    if (this.#made) {
      try {
        return await applyOperations(this.#nft, refillOperations(this.table, contents));
      } catch (error) {
        if (refusalOf(error) !== 'missing') throw error;
      }
    }
    await this.#make(contents);
  }

  async change(deltas: Deltas): Promise<void> {
    await applyOperations(this.#nft, deltaOperations(this.table, deltas));
  }

  read(): Promise<ReadContents> {
    return readSets(this.#nft, this.table, this.sets);
  }

  async release(mode: OnStop): Promise<void> {
    if (mode === 'keep' || !this.#made) return;
    try {
      await this.#nft.apply(nftScript({ op: 'delete-table', table: this.table }));
    } catch (error) {
      if (refusalOf(error) !== 'missing') throw error;
    }
  }

  /** In one transaction: whatever bears the name goes (a rest of an earlier run), and the filled table stands in its place. */
  async #make(contents: Contents): Promise<void> {
    const rest = await restOfTable(this.#nft, this.table, own);
    const oldGuard = this.#config.guard === undefined ? await restOfGuard(this.#nft) : [];
    await this.#ownership.make(async (flags) => {
      const layout = ownTableOperations(this.#config, flags);
      try {
        await applyOperations(this.#nft, [...rest, ...oldGuard, ...layout, ...addOperations(this.table, contents)]);
      } catch (error) {
        if (refusalOf(error) === 'not-permitted' && rest.length > 0) throw tableOwned(this.table, error);
        throw error;
      }
    });
    this.#made = true;
  }
}

/** Everything but the elements. Own traffic is excepted before the marks: checks must take the direct path. */
export function ownTableOperations(config: OwnTableConfig, flags: readonly TableFlag[]): readonly NftOperation[] {
  const table: NftTable = { family: 'inet', name: config.name };
  const rule = (chain: string, when: readonly RuleMatch[], action: RuleAction): NftOperation => ({
    op: 'add-rule',
    table,
    chain,
    when,
    action,
  });
  const [marked, dropped] = [markedSets(config), droppedSets(config)];
  const drops = (chain: string): readonly NftOperation[] =>
    dropped.map(({ name, type }) =>
      rule(chain, [{ kind: 'daddr-in-set', type, set: name }], { kind: 'count-and-drop' }),
    );
  const marks = (chain: string): readonly NftOperation[] =>
    marked.map(({ name, type, mark }) =>
      rule(chain, [{ kind: 'daddr-in-set', type, set: name }], { kind: 'mark', mark, mask: config.mask }),
    );
  const notes = (chain: string): readonly NftOperation[] => (config.inUse === true ? inUseRules(table, chain) : []);
  const operations: NftOperation[] = [
    { op: 'add-table', table, flags },
    ...[...marked, ...dropped].map(({ name, type }): NftOperation => ({ op: 'add-set', table, set: name, type })),
    ...(config.inUse === true ? inUseSets(table) : []),
  ];
  if (config.markForwarded || dropped.length > 0) {
    operations.push({ op: 'add-chain', table, chain: 'prerouting', type: 'filter', hook: 'prerouting' });
    operations.push(...notes('prerouting'), ...drops('prerouting'));
  }
  if (config.markForwarded) {
    operations.push(...marks('prerouting'));
    if (config.guard !== undefined) {
      // Says to the guard's table that this packet was judged; last, because what is dropped before needs no word.
      const { mark: bits } = config.guard;
      operations.push(
        rule('prerouting', [], { kind: 'mark', mark: bits, mask: bits }),
        ...guardOperations(config.guard),
      );
    }
  }
  if (config.markOwn || dropped.length > 0) {
    // Type route: a changed mark makes the kernel look the route up again (nft(8)).
    operations.push({ op: 'add-chain', table, chain: 'output', type: 'route', hook: 'output' });
    if (config.exemptSourcePorts !== undefined) {
      const ports = config.exemptSourcePorts;
      for (const protocol of ['tcp', 'udp'] as const) {
        operations.push(rule('output', [{ kind: 'sport', protocol, ...ports }], { kind: 'return' }));
      }
    }
    if (config.exemptUid !== undefined) {
      operations.push(rule('output', [{ kind: 'skuid', uid: config.exemptUid }], { kind: 'return' }));
    }
    operations.push(...notes('output'), ...drops('output'));
    if (config.markOwn) operations.push(...marks('output'));
  }
  return operations;
}
