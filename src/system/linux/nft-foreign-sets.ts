/** Sets of the administrator's ruleset: never made or removed here, only filled. */
import { type NftOperation, type NftTable, nftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import type { ForeignSetsConfig, OnStop } from './nft-agent-protocol.ts';
import {
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

export class ForeignSets implements SetHome {
  readonly table: NftTable;
  readonly sets: readonly SetSpec[];
  readonly kind = 'foreign';
  readonly reason = undefined;
  readonly openToOthers = true;
  readonly mine = false;
  readonly #nft: Nft;

  constructor(nft: Nft, config: ForeignSetsConfig) {
    this.#nft = nft;
    this.table = { family: config.family, name: config.table };
    this.sets = config.sets;
  }

  async inspect(): Promise<void> {
    await this.read();
  }

  async fill(contents: Contents): Promise<void> {
    await applyOperations(this.#nft, refillOperations(this.table, contents));
  }

  async change(deltas: Deltas): Promise<void> {
    await applyOperations(this.#nft, deltaOperations(this.table, deltas));
  }

  read(): Promise<ReadContents> {
    return readSets(this.#nft, this.table, this.sets);
  }

  async release(mode: OnStop): Promise<void> {
    if (mode === 'keep') return;
    const { table } = this;
    await this.#nft.apply(
      nftScript(...this.sets.map(({ name }): NftOperation => ({ op: 'flush-set', table, set: name }))),
    );
  }
}
