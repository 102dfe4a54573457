/** A table of our own: sets of addresses, and chains that mark packets to them. Owned where nft and kernel know how. */
import { NetstewardError } from '../../core/errors.ts';
import { refusalOf } from '../nft-error.ts';
import type { NftOperation, NftTable, RuleAction, RuleMatch, TableFlag } from '../nft-script.ts';
import { nftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import type { OnStop, OwnTableConfig, TableKind } from './nft-agent-protocol.ts';
import { hasTable, namesIn } from './nft-listing.ts';
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

export const ownSets = [
  { name: 'blocked4', type: 'ipv4_addr' },
  { name: 'blocked6', type: 'ipv6_addr' },
] as const satisfies readonly SetSpec[];

const ownChains: readonly string[] = ['prerouting', 'output'];

interface Ownership {
  readonly kind: TableKind;
  readonly flags: readonly TableFlag[];
  /** Why the next worse one is used when this one is refused. */
  readonly refused: Readonly<Record<'syntax' | 'unsupported', string>>;
}

// Best first. `persist` (Linux 6.9, nft 1.0.9): the table outlives its owner, and a flush by others then removes it.
const ownerships: readonly Ownership[] = [
  {
    kind: 'owner-persist',
    flags: ['owner', 'persist'],
    refused: {
      syntax: 'this nft does not know "flags persist" (1.0.9 does), so the table ends with the agent',
      unsupported: 'this kernel does not know "flags persist" (6.9 does), so the table ends with the agent',
    },
  },
  {
    kind: 'owner',
    flags: ['owner'],
    refused: {
      syntax: 'this nft does not know "flags owner" (0.9.9 does), so a flush by others empties it',
      unsupported: 'this kernel does not know "flags owner" (5.12 does), so a flush by others empties it',
    },
  },
  { kind: 'plain', flags: [], refused: { syntax: '', unsupported: '' } },
];

export class OwnTable implements SetHome {
  readonly table: NftTable;
  readonly sets = ownSets;
  readonly mine = true;
  readonly #nft: Nft;
  readonly #config: OwnTableConfig;
  #ownership = 0;
  #reason: string | undefined;
  /** Whether this object has made the table, so that it is not one of somebody else. */
  #made = false;

  constructor(nft: Nft, config: OwnTableConfig) {
    this.#nft = nft;
    this.#config = config;
    this.table = { family: 'inet', name: config.name };
  }

  get kind(): TableKind | undefined {
    return this.#made ? ownerships[this.#ownership]?.kind : undefined;
  }

  get reason(): string | undefined {
    return this.#reason;
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

  /** What an earlier run has left is deleted in the transaction that makes the table; a table of somebody else is left alone. */
  async #rest(): Promise<readonly NftOperation[]> {
    const { table } = this;
    if (!hasTable(await this.#nft.list(nftScript({ op: 'list-tables' })), table)) return [];
    const { family } = table;
    const chains = namesIn(await this.#nft.list(nftScript({ op: 'list-chains', family })), 'chain', table);
    const sets = namesIn(await this.#nft.list(nftScript({ op: 'list-sets', family })), 'set', table);
    const strange = [
      ...chains.filter((name) => !ownChains.includes(name)).map((name) => `the chain ${name}`),
      ...sets.filter((name) => !ownSets.some((own) => own.name === name)).map((name) => `the set ${name}`),
    ];
    if (strange.length > 0) throw foreign(table, strange);
    return [{ op: 'delete-table', table }];
  }

  /** In one transaction: whatever bears the name goes (a rest of an earlier run), and the filled table stands in its place. */
  async #make(contents: Contents): Promise<void> {
    const rest = await this.#rest();
    for (; ; this.#ownership++) {
      const ownership = ownerships[this.#ownership];
      if (ownership === undefined) return;
      const layout = ownTableOperations(this.#config, ownership.flags);
      try {
        await applyOperations(this.#nft, [...rest, ...layout, ...addOperations(this.table, contents)]);
        this.#made = true;
        return;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === 'not-permitted' && rest.length > 0) throw owned(this.table, error);
        if ((refusal !== 'syntax' && refusal !== 'unsupported') || ownership.kind === 'plain') throw error;
        this.#reason = ownership.refused[refusal];
      }
    }
  }
}

function foreign({ family, name }: NftTable, what: readonly string[]): NetstewardError {
  const found = what.slice(0, 5).join(', ');
  return new NetstewardError(
    'table-foreign',
    `there is a table ${family} ${name} that was not made by netsteward: it has ${found}`,
    { remedy: `Rename or delete that table, or give nbrpc.table.name another name.` },
  );
}

function owned(table: NftTable, cause: unknown): NetstewardError {
  const name = `${table.family} ${table.name}`;
  return new NetstewardError('table-owned', `the table ${name} belongs to another living process`, {
    remedy: `Stop the other netsteward (nft list table ${name} names its program), or give this one another table name.`,
    cause,
  });
}

/** Everything but the elements. Own traffic is excepted before the marks: checks must take the direct path. */
export function ownTableOperations(config: OwnTableConfig, flags: readonly TableFlag[]): readonly NftOperation[] {
  const table: NftTable = { family: 'inet', name: config.name };
  const mark: RuleAction = { kind: 'mark', mark: config.mark, mask: config.mask };
  const rule = (chain: string, when: readonly RuleMatch[], action: RuleAction): NftOperation => ({
    op: 'add-rule',
    table,
    chain,
    when,
    action,
  });
  const marks = (chain: string): readonly NftOperation[] =>
    ownSets.map(({ name, type }) => rule(chain, [{ kind: 'daddr-in-set', type, set: name }], mark));
  const operations: NftOperation[] = [
    { op: 'add-table', table, flags },
    ...ownSets.map(({ name, type }): NftOperation => ({ op: 'add-set', table, set: name, type })),
  ];
  if (config.markForwarded) {
    operations.push({ op: 'add-chain', table, chain: 'prerouting', type: 'filter', hook: 'prerouting' });
    operations.push(...marks('prerouting'));
  }
  if (config.markOwn) {
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
    operations.push(...marks('output'));
  }
  return operations;
}
