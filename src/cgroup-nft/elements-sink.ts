/** Elements of units in one set of the administrator's: each bears a comment of ours, so that none of his is ever taken for one. */
import { createHash } from 'node:crypto';
import { type NftTable, nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { KernelRuleset } from '../system/unit-ports.ts';
import { applyParts } from './apply-parts.ts';
import { livingReferences, type Members } from './living.ts';
import { tokenize } from './nft-tokens.ts';
import type { UnitElement } from './rule.ts';
import { sift } from './sift.ts';
import { expandStatement } from './statement.ts';

/** An element as it shall be in the kernel now. */
export interface LivingElement {
  /** As nft takes it, with our comment. */
  readonly text: string;
  /** What tells it from others of the set, of this run or another one. */
  readonly comment: string;
  /** The cgroup's path, and its id as far as is known here. */
  readonly path: string;
  readonly id: bigint;
  /** Which it comes from. */
  readonly from: UnitElement;
}

const ownComment = /(?:^| )netsteward [0-9a-f]{12}$/;
/** NFTNL_UDATA_COMMENT_MAXLEN of libnftnl's udata.h: nft takes no longer one. */
const longestComment = 128;

export function isOwnComment(comment: string | undefined): boolean {
  return comment !== undefined && ownComment.test(comment);
}

/** What these elements want in the set while these cgroups live. Of two with the same text the first counts (pure). */
export function livingElements(elements: readonly UnitElement[], members: Members): readonly LivingElement[] {
  const found = new Map<string, LivingElement>();
  for (const from of elements) {
    for (const text of expandStatement(from, livingReferences(from, members))) {
      // The path comes first, in quotes.
      const path = text.slice(1, text.indexOf('"', 1));
      const id = members.get(path);
      if (id !== undefined && !found.has(text)) found.set(text, { ...withComment(text), path, id, from });
    }
  }
  return [...found.values()];
}

/** Before the data of a map, and behind all other options. One of the administrator's goes on with ours: it stays ours to take out. */
function withComment(text: string): { readonly text: string; readonly comment: string } {
  const own = `netsteward ${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  const read = tokenize(text);
  const tokens = read.ok ? read.tokens : [];
  const his = tokens[tokens.findIndex(({ kind, text: word }) => kind === 'word' && word === 'comment') + 1];
  if (his !== undefined && his !== tokens[0]) {
    const words = his.text.replaceAll('"', '').slice(0, longestComment - own.length - 1);
    const comment = `${words} ${own}`;
    return { text: `${text.slice(0, his.start)}"${comment}"${text.slice(his.end)}`, comment };
  }
  const colon = tokens.find(({ kind }) => kind === 'colon');
  const at = colon?.start ?? text.length;
  const before = `${text.slice(0, at).trimEnd()} comment "${own}"`;
  return { text: colon === undefined ? before : `${before} ${text.slice(at)}`, comment: own };
}

export class ElementsSink {
  readonly #nft: Nft;
  readonly #kernel: KernelRuleset;
  readonly #table: NftTable;
  readonly #set: string;

  constructor(nft: Nft, kernel: KernelRuleset, table: NftTable, set: string) {
    this.#nft = nft;
    this.#kernel = kernel;
    this.#table = table;
    this.#set = set;
  }

  /** Whether there is such a set. Throws NftError. */
  exists(): boolean {
    const { family, name } = this.#table;
    return this.#kernel
      .sets()
      .some((one) => one.name === this.#set && one.table.family === family && one.table.name === name);
  }

  /** In one transaction; what is there already stays as it is. Rejects with NftError. */
  async add(elements: readonly LivingElement[]): Promise<void> {
    const members = elements.map(({ text }) => text);
    await applyParts(this.#nft, [{ op: 'add-members', table: this.#table, set: this.#set, members }]);
  }

  /** Those that nft takes, tried in its check mode. */
  accepted(
    elements: readonly LivingElement[],
    refused: (element: LivingElement, error: unknown) => void,
  ): Promise<readonly LivingElement[]> {
    const check = (some: readonly LivingElement[]): Promise<void> => {
      const members = some.map(({ text }) => text);
      return this.#nft.check(nftScript({ op: 'add-members', table: this.#table, set: this.#set, members }));
    };
    return sift(elements, check, refused);
  }

  /** Takes out what is ours and not wanted (any more). Gives what is wanted and not there; undefined when there is no such set. Throws NftError. */
  tidy(wanted: readonly LivingElement[]): readonly LivingElement[] | undefined {
    const found = this.#kernel.elements(this.#table, this.#set);
    if (found === undefined) return undefined;
    const ids = new Map(wanted.map(({ comment, id }) => [comment, id]));
    const there = new Set<string>();
    const surplus = found.filter(({ comment, id }) => {
      if (comment === undefined || !isOwnComment(comment)) return false;
      if (ids.get(comment) !== id) return true;
      there.add(comment);
      return false;
    });
    this.#kernel.removeElements(this.#table, this.#set, surplus);
    return wanted.filter(({ comment }) => !there.has(comment));
  }
}
