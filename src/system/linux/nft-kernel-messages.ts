/** Requests to nf_tables and its answers, byte for byte: linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h (pure). */
import type { NftFamily, NftTable } from '../nft-script.ts';
import type {
  ElementKey,
  KernelChain,
  KernelCounter,
  KernelElement,
  KernelRule,
  KernelSet,
  RulePlace,
} from '../unit-ports.ts';
import { attribute, contentAt, contentOf, contentsOf, littleEndian, textOf } from './netlink-attributes.ts';
import { message, messageDone, messageError, messagesOf } from './nfnetlink-messages.ts';

// linux/netfilter.h
const families: Readonly<Record<NftFamily, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 };
const familyNames: ReadonlyMap<number, NftFamily> = new Map(
  Object.entries(families).map(([name, number]) => [number, name as NftFamily]),
);

/** NFNL_SUBSYS_NFTABLES */
const subsystem = 10;
const batchBegin = 0x10;
const batchEnd = 0x11;
/** NFNL_BATCH_GENID of linux/netfilter/nfnetlink.h. */
const batchGeneration = 1;
/** enum nf_tables_msg_types */
export const messageTypes = {
  getTable: 1,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newGeneration: 15,
  getGeneration: 16,
};
const flags = { request: 1, ack: 4, dump: 0x300, create: 0x400, interrupted: 0x10 };
const nested = 0x8000;

const text = (type: number, value: string): Buffer => attribute(type, Buffer.from(`${value}\0`, 'latin1'));

/** A question; `dump` asks for all of a kind, without a table of all tables. `names`: attribute type and text. */
export function question(
  type: number,
  dump: boolean,
  sequence: number,
  table: NftTable | undefined,
  names: readonly (readonly [number, string])[] = [],
): Buffer {
  const body = Buffer.concat(names.map(([attributeType, name]) => text(attributeType, name)));
  const flag = flags.request | (dump ? flags.dump : flags.ack);
  const family = table === undefined ? 0 : families[table.family];
  return message((subsystem << 8) | type, flag, sequence, family, 0, body);
}

/** One change within a transaction. */
export interface Change {
  readonly type: number;
  readonly family: NftFamily;
  readonly create: boolean;
  readonly body: Buffer;
}

/** A list of elements is one attribute, whose length has 16 bits. */
const mostKeys = 1000;
/** A cgroup's key alone, bytes. */
const idLength = 8;

export function cgroupKey(id: bigint): ElementKey {
  const key = new Uint8Array(idLength);
  new DataView(key.buffer).setBigUint64(0, id, littleEndian);
  return { key, end: undefined };
}

/** Elements that come or go. */
export function elementChanges(
  { family, name }: NftTable,
  set: string,
  keys: readonly ElementKey[],
  kind: 'add' | 'delete',
): readonly Change[] {
  const changes: Change[] = [];
  const create = kind === 'add';
  const type = create ? messageTypes.newElement : messageTypes.deleteElement;
  for (let at = 0; at < keys.length; at += mostKeys) {
    // NFTA_LIST_ELEM { NFTA_SET_ELEM_KEY { NFTA_DATA_VALUE }, NFTA_SET_ELEM_KEY_END { … } }
    const elements = keys.slice(at, at + mostKeys).map(({ key, end }) => {
      const first = attribute(1 | nested, attribute(1, key));
      return attribute(
        1 | nested,
        end === undefined ? first : Buffer.concat([first, attribute(10 | nested, attribute(1, end))]),
      );
    });
    const body = Buffer.concat([text(1, name), text(2, set), attribute(3 | nested, Buffer.concat(elements))]);
    changes.push({ type, family, create, body });
  }
  return changes;
}

export function ruleRemovals({ family, name }: NftTable, rules: readonly RulePlace[]): readonly Change[] {
  return rules.map(({ chain, handle }) => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(handle));
    const body = Buffer.concat([text(1, name), text(2, chain), attribute(3, number)]);
    return { type: messageTypes.deleteRule, family, create: false, body };
  });
}

/** One transaction; each change is acknowledged. With `generation` the kernel refuses it (ERESTART) once that has passed. */
export function transaction(sequence: number, changes: readonly Change[], generation?: number): Buffer {
  const condition = Buffer.alloc(4);
  condition.writeUInt32BE(generation ?? 0);
  const begin = generation === undefined ? Buffer.alloc(0) : attribute(batchGeneration, condition);
  return Buffer.concat([
    message(batchBegin, flags.request, sequence, 0, subsystem, begin),
    ...changes.map(({ type, family, create, body }) => {
      const flag = flags.request | flags.ack | (create ? flags.create : 0);
      return message((subsystem << 8) | type, flag, sequence, families[family], 0, body);
    }),
    message(batchEnd, flags.request, sequence, 0, subsystem, Buffer.alloc(0)),
  ]);
}

export type Answer =
  /** `errno` 0: done as asked. */
  | { readonly kind: 'ack'; readonly errno: number }
  | { readonly kind: 'done' }
  /** The tables changed while they were dumped. */
  | { readonly kind: 'interrupted' }
  | {
      readonly kind: 'message';
      readonly type: number;
      readonly family: NftFamily | undefined;
      /** Attributes, one after the other. */
      readonly body: Buffer;
    };

/** The answers to one request in a datagram; a truncated message ends the reading. */
export function parseAnswers(datagram: Buffer, sequence: number): readonly Answer[] {
  const answers: Answer[] = [];
  for (const found of messagesOf(datagram)) {
    if (found.sequence !== sequence) continue;
    const { type, errno, family, body } = found;
    if ((found.flags & flags.interrupted) !== 0) answers.push({ kind: 'interrupted' });
    if (type === messageDone) answers.push({ kind: 'done' });
    else if (type === messageError && errno !== undefined) answers.push({ kind: 'ack', errno });
    else if (type >> 8 === subsystem && family !== undefined && body !== undefined) {
      answers.push({ kind: 'message', type: type & 0xff, family: familyNames.get(family), body });
    }
  }
  return answers;
}

/** NFTNL_UDATA_CHAIN_COMMENT and NFTNL_UDATA_SET_ELEM_COMMENT of libnftnl/udata.h: type, length, text with a final NUL. */
const commentType = 0;

function commentOf(userdata: Buffer | undefined): string | undefined {
  for (let at = 0; userdata !== undefined && at + 2 <= userdata.length; ) {
    const [type = 0, length = 0] = userdata.subarray(at, at + 2);
    if (type === commentType) return textOf(userdata.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return undefined;
}

/** NFTA_EXPR_NAME, NFTA_EXPR_DATA */
function counterOf(expressions: readonly Buffer[]): KernelCounter | undefined {
  const counter = expressions.find((expression) => textOf(contentOf(expression, 1)) === 'counter');
  const data = contentOf(counter, 2);
  const [bytes, packets] = [contentOf(data, 1), contentOf(data, 2)];
  if (bytes?.length !== 8 || packets?.length !== 8) return undefined;
  return { packets: Number(packets.readBigUInt64BE()), bytes: Number(bytes.readBigUInt64BE()) };
}

/** Of the numbers in a set's keys. */
export type KeyOrder = 'host' | 'network';

/** NFT_SET_INTERVAL: nft turns what is in host order round, in the set and in the rules that look into it (src/evaluate.c). */
const intervalSet = 4;

/** Of one NEWSET message. */
export function keyOrderOf(body: Buffer): KeyOrder {
  return (setFlagsOf(body) & intervalSet) === 0 ? 'host' : 'network';
}

function setFlagsOf(body: Buffer): number {
  const content = contentOf(body, 3);
  return content?.length === 4 ? content.readUInt32BE() : 0;
}

/** NFT_SET_ELEM_INTERVAL_END: where a range ends in a set with intervals; it names no cgroup. */
const intervalEnd = 1;

/** Of one NEWSETELEM message. Elements that cannot begin with a cgroup (8 bytes) are left out. */
export function cgroupElements(body: Buffer, order: KeyOrder): readonly KernelElement[] {
  return contentsOf(contentOf(body, 3)).flatMap((element) => {
    const key = contentAt(element, [1, 1]);
    const elementFlags = contentOf(element, 3);
    const ends = elementFlags?.length === 4 && (elementFlags.readUInt32BE() & intervalEnd) !== 0;
    if (key === undefined || key.length < idLength || ends) return [];
    const id = order === 'host' && littleEndian ? key.readBigUInt64LE() : key.readBigUInt64BE();
    // NFTA_SET_ELEM_EXPR, or NFTA_SET_ELEM_EXPRESSIONS where there are several.
    const one = contentOf(element, 7);
    const expressions = one === undefined ? contentsOf(contentOf(element, 11)) : [one];
    const comment = commentOf(contentOf(element, 6));
    return [{ id, key, end: contentAt(element, [10, 1]), comment, counter: counterOf(expressions) }];
  });
}

/** NFT_JUMP of linux/netfilter/nf_tables.h. */
const jumpCode = -3;

/** Of one NEWRULE message: the chain that it is in, and the rule. */
export function ruleOf(body: Buffer): { readonly chain: string; readonly rule: KernelRule } | undefined {
  const handle = contentOf(body, 3);
  const chain = textOf(contentOf(body, 2));
  if (handle?.length !== 8 || chain === undefined) return undefined;
  const expressions = contentsOf(contentOf(body, 4));
  const rule = {
    handle: Number(handle.readBigUInt64BE()),
    // Asked for by few of those who ask for rules.
    get counter() {
      return counterOf(expressions);
    },
    jump: expressions.length === 1 ? jumpOf(expressions[0]) : undefined,
  };
  return { chain, rule };
}

/** NFTA_IMMEDIATE_DATA { NFTA_DATA_VERDICT { NFTA_VERDICT_CODE, NFTA_VERDICT_CHAIN } } */
function jumpOf(expression: Buffer | undefined): string | undefined {
  if (textOf(contentOf(expression, 1)) !== 'immediate') return undefined;
  const verdict = contentAt(expression, [2, 2, 2]);
  const code = contentOf(verdict, 1);
  return code?.length === 4 && code.readInt32BE() === jumpCode ? textOf(contentOf(verdict, 2)) : undefined;
}

/** Of one NEWCHAIN message. */
export function chainOf(family: NftFamily | undefined, body: Buffer): KernelChain | undefined {
  const [table, name] = [textOf(contentOf(body, 1)), textOf(contentOf(body, 3))];
  if (family === undefined || table === undefined || name === undefined) return undefined;
  return { table: { family, name: table }, name, comment: commentOf(contentOf(body, 12)) };
}

/** TYPE_CGROUPV2 of nft's include/datatype.h; a concatenation's number is made of those of its parts, six bits each. */
const cgroupType = 46;
const typeBits = 6;
/** NFT_SET_ANONYMOUS: it belongs to a rule. */
const anonymousSet = 1;

/** Of one NEWSET message. */
export function setOf(family: NftFamily | undefined, body: Buffer): KernelSet | undefined {
  const [table, name] = [textOf(contentOf(body, 1)), textOf(contentOf(body, 2))];
  const type = contentOf(body, 4);
  if (family === undefined || table === undefined || name === undefined || type?.length !== 4) return undefined;
  const anonymous = (setFlagsOf(body) & anonymousSet) !== 0;
  let leading = type.readUInt32BE();
  while (leading >> typeBits > 0) leading >>>= typeBits;
  return { table: { family, name: table }, name, cgroups: leading === cgroupType && !anonymous };
}

/** Of the answer to the question for the ruleset's generation. */
export function generationOf(body: Buffer): number | undefined {
  const id = contentOf(body, 1);
  return id?.length === 4 ? id.readUInt32BE() : undefined;
}
