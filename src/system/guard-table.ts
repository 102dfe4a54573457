/** The kill switch: a static table that drops what comes from the LAN and was not judged by netsteward's own table (pure). */
import type { NftOperation, NftTable } from './nft-script.ts';

export const guardTable: NftTable = { family: 'inet', name: 'netsteward-guard' };

export interface GuardSpec {
  /** What comes in by one of these and leaves by none of them is dropped. */
  readonly interfaces: readonly string[];
  /** The bits of the packet mark by which the own table says that it has seen a packet. */
  readonly mark: number;
}

/**
 * Puts the table in the place of an older one, in one transaction. No owner: it has to outlive every process. The bits are taken
 * away again as soon as they were looked at: no rule of the administrator's meets them in the forward chains that follow.
 */
export function guardOperations({ interfaces, mark }: GuardSpec): readonly NftOperation[] {
  const table = guardTable;
  const chain = 'forward';
  return [
    ...noGuardOperations(),
    { op: 'add-table', table },
    { op: 'add-chain', table, chain, type: 'filter', hook: 'forward' },
    {
      op: 'add-rule',
      table,
      chain,
      when: [
        { kind: 'iifname', names: interfaces },
        { kind: 'oifname-not', names: interfaces },
        { kind: 'mark-unset', mark },
      ],
      action: { kind: 'count-and-drop' },
    },
    { op: 'add-rule', table, chain, when: [], action: { kind: 'mark', mark: 0, mask: mark } },
  ];
}

/** Takes it away, whether it is there or not: deleting what is missing is an error. */
export function noGuardOperations(): readonly NftOperation[] {
  return [
    { op: 'add-table', table: guardTable },
    { op: 'delete-table', table: guardTable },
  ];
}
