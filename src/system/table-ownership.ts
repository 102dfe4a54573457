/** How a table of our own is kept from others: `flags owner`, and `persist` beside it, where nft and the kernel know them. */
import { refusalOf } from './nft-error.ts';
import type { TableFlag } from './nft-script.ts';

export type OwnTableKind = 'owner' | 'owner-persist' | 'plain';

interface Ownership {
  readonly kind: OwnTableKind;
  readonly flags: readonly TableFlag[];
  /** Why the next worse one is used when this one is refused. */
  readonly refused: Readonly<Record<'syntax' | 'unsupported', string>>;
}

// Best first. `persist` (Linux 6.9, nft 1.0.9): the table outlives its owner, and a flush by others then removes it.
const ladder: readonly Ownership[] = [
  {
    kind: 'owner-persist',
    flags: ['owner', 'persist'],
    refused: {
      syntax: 'this nft does not know "flags persist" (1.0.9 does), so the table ends with its process',
      unsupported: 'this kernel does not know "flags persist" (6.9 does), so the table ends with its process',
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

/** Finds the best kind that works here, and stays with it. */
export class TableOwnership {
  #at = 0;
  #reason: string | undefined;

  get kind(): OwnTableKind {
    return ladder[this.#at]?.kind ?? 'plain';
  }

  /** Why it is not a better kind. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** `attempt` makes the table with these flags, in one transaction. Rejects with its error when no kind of table helps. */
  async make(attempt: (flags: readonly TableFlag[]) => Promise<void>): Promise<void> {
    for (; ; this.#at++) {
      const ownership = ladder[this.#at] as Ownership;
      try {
        return await attempt(ownership.flags);
      } catch (error) {
        const refusal = refusalOf(error);
        if ((refusal !== 'syntax' && refusal !== 'unsupported') || ownership.kind === 'plain') throw error;
        this.#reason = ownership.refused[refusal];
      }
    }
  }
}
