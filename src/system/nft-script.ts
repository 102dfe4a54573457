/** The only maker of nft text: operations are plain data, and a script is their validated rendering (pure). */
import { canonicalAddress } from './nft-address.ts';
import {
  cgroupText,
  commentText,
  filePathText,
  hexText,
  interfaceText,
  invalid,
  nameText,
  numberText,
  oneOf,
  statementText,
} from './nft-text.ts';

export { filePathProblem, identifierProblem, interfaceProblem, isCgroupPath, statementProblem } from './nft-text.ts';

export const nftFamilies = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'] as const;
export type NftFamily = (typeof nftFamilies)[number];

export const addressTypes = ['ipv4_addr', 'ipv6_addr'] as const;
export type AddressType = (typeof addressTypes)[number];

export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
}

export type TableFlag = 'owner' | 'persist';

/** `cgroupsv2`: ids of cgroups, which nft takes as paths. With counters, each element has one of its own. */
export type SetType = AddressType | 'cgroupsv2';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export type RuleMatch =
  | { readonly kind: 'daddr-in-set'; readonly type: AddressType; readonly set: string }
  | { readonly kind: 'sport'; readonly protocol: 'tcp' | 'udp'; readonly from: number; readonly to: number }
  | { readonly kind: 'skuid'; readonly uid: number }
  /** `socket cgroupv2`: the cgroup that stands `level` names below the root, of the socket that the packet belongs to. */
  | { readonly kind: 'cgroup-in-set'; readonly level: number; readonly set: string }
  | { readonly kind: 'protocol'; readonly protocols: readonly ('tcp' | 'udp')[] }
  /** Destination ports of either protocol. */
  | { readonly kind: 'dports'; readonly ports: readonly PortRange[] }
  | { readonly kind: 'iifname' | 'oifname-not'; readonly names: readonly string[] }
  /** Not all of these bits of the mark are set. */
  | { readonly kind: 'mark-unset'; readonly mark: number };

/** `mark`: the bits of `mask` are set to those of `mark`, all others stay. */
export type RuleAction =
  | { readonly kind: 'return' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'count' | 'count-and-drop' }
  | { readonly kind: 'jump'; readonly chain: string }
  /** The destination goes into a set that packets fill. */
  | { readonly kind: 'note'; readonly type: AddressType; readonly set: string }
  | { readonly kind: 'mark'; readonly mark: number; readonly mask: number };

export type NftOperation =
  | { readonly op: 'add-table'; readonly table: NftTable; readonly flags?: readonly TableFlag[] }
  | { readonly op: 'delete-table'; readonly table: NftTable }
  | {
      readonly op: 'add-set';
      readonly table: NftTable;
      readonly set: string;
      readonly type: SetType;
      readonly counters?: boolean;
      /** Rules put elements in, which leave these seconds after they were last put; `most` at a time. */
      readonly filledByPackets?: { readonly seconds: number; readonly most: number };
    }
  | {
      readonly op: 'add-chain';
      readonly table: NftTable;
      readonly chain: string;
      readonly type: 'filter' | 'route';
      readonly hook: 'prerouting' | 'input' | 'output' | 'forward';
    }
  /** A chain that packets reach by a jump alone. */
  | { readonly op: 'add-plain-chain'; readonly table: NftTable; readonly chain: string; readonly comment: string }
  | { readonly op: 'flush-chain' | 'delete-chain'; readonly table: NftTable; readonly chain: string }
  /** A rule in words of others, which have to be one statement. */
  | { readonly op: 'add-statement'; readonly table: NftTable; readonly chain: string; readonly statement: string }
  | {
      readonly op: 'add-rule';
      readonly table: NftTable;
      readonly chain: string;
      readonly when: readonly RuleMatch[];
      readonly action: RuleAction;
    }
  | { readonly op: 'flush-set'; readonly table: NftTable; readonly set: string }
  | ElementsOperation
  /** nft looks the ids up when it gets the text; one path that does not exist fails the whole transaction. */
  | { readonly op: 'add-cgroups'; readonly table: NftTable; readonly set: string; readonly paths: readonly string[] }
  /** Elements in words of others, each of which has to be one. */
  | { readonly op: 'add-members'; readonly table: NftTable; readonly set: string; readonly members: readonly string[] }
  | { readonly op: 'list-tables' }
  /** All of a family: nft lists neither by table. */
  | { readonly op: 'list-chains' | 'list-sets'; readonly family: NftFamily }
  | { readonly op: 'list-set'; readonly table: NftTable; readonly set: string }
  /** A ruleset of the administrator's, as `nft -f` would load it; an absolute path. For check() only. */
  | { readonly op: 'include'; readonly path: string };

export interface ElementsOperation {
  readonly op: 'add-elements' | 'delete-elements';
  readonly table: NftTable;
  readonly set: string;
  readonly addresses: readonly string[];
}

const separator = '; ';

/** Made by nftScript() alone, so that every byte of `text` has been validated. One operation a line. */
export class NftScript {
  readonly #lines: readonly string[];
  /** Of each line, the index of its operation. */
  readonly #sources: readonly number[];
  readonly operations: readonly NftOperation[];

  /** Renders, and throws NetstewardError `nft-script-invalid` for any value that is not what it has to be. */
  constructor(operations: readonly NftOperation[]) {
    this.operations = operations;
    const texts = operations.map(render);
    this.#sources = texts.flatMap((text, index) => (text === undefined ? [] : [index]));
    this.#lines = texts.filter((text) => text !== undefined);
  }

  /** Lines, as a file for `nft -f` would have them; empty when there is nothing to do. */
  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** The same on one line without an end: `nft -i` takes each line as a transaction of its own. */
  get line(): string {
    return this.#lines.join(separator);
  }

  get empty(): boolean {
    return this.#lines.length === 0;
  }

  /** What stands at a column of `line` (from 0): index of the operation, its text, and the column within that text. */
  at(column: number): { readonly operation: number; readonly text: string; readonly column: number } | undefined {
    let start = 0;
    for (const [index, text] of this.#lines.entries()) {
      if (column < start + text.length) {
        const operation = this.#sources[index] ?? 0;
        return column < start ? undefined : { operation, text, column: column - start };
      }
      start += text.length + separator.length;
    }
    return undefined;
  }

  toString(): string {
    return this.text;
  }
}

export function nftScript(...operations: readonly NftOperation[]): NftScript {
  return new NftScript(operations);
}

/**
 * The same operations in the same order as several scripts, each with at most `most` elements: for when one netlink message
 * cannot carry all (EMSGSIZE). What was one transaction becomes several.
 */
export function splitOperations(operations: readonly NftOperation[], most: number): readonly NftScript[] {
  const scripts: NftScript[] = [];
  let current: NftOperation[] = [];
  let room = most;
  for (const operation of operations) {
    if (operation.op !== 'add-elements' && operation.op !== 'delete-elements') {
      current.push(operation);
      continue;
    }
    for (let at = 0; at < operation.addresses.length; ) {
      const addresses = operation.addresses.slice(at, at + room);
      current.push({ ...operation, addresses });
      at += addresses.length;
      room -= addresses.length;
      if (room === 0) {
        scripts.push(new NftScript(current));
        current = [];
        room = most;
      }
    }
  }
  if (current.length > 0) scripts.push(new NftScript(current));
  return scripts;
}

function tableText({ family, name }: NftTable): string {
  return `${oneOf('family', family, nftFamilies)} ${nameText('table', name)}`;
}

function setText(table: NftTable, set: string): string {
  return `${tableText(table)} ${nameText('set', set)}`;
}

function addressText(address: string): string {
  return canonicalAddress(address) ?? invalid(`${JSON.stringify(address)?.slice(0, 80)} is not an IP address`);
}

function rangeText(range: PortRange): string {
  const from = numberText('port', range.from, 65535);
  const to = numberText('port', range.to, 65535);
  if (range.from > range.to) invalid(`the port range ${from}-${to} is empty`);
  return from === to ? from : `${from}-${to}`;
}

function chainText(table: NftTable, chain: string): string {
  return `${tableText(table)} ${nameText('chain', chain)}`;
}

function destinationText(type: AddressType): string {
  return `${oneOf('type', type, addressTypes) === 'ipv4_addr' ? 'ip' : 'ip6'} daddr`;
}

function matchText(match: RuleMatch): string {
  switch (match.kind) {
    case 'daddr-in-set':
      return `${destinationText(match.type)} @${nameText('set', match.set)}`;
    case 'sport': {
      return `${oneOf('protocol', match.protocol, ['tcp', 'udp'])} sport ${rangeText(match)}`;
    }
    case 'skuid':
      return `meta skuid ${numberText('uid', match.uid, 0xfffffffe)}`;
    case 'cgroup-in-set':
      // The kernel takes 1 to 255 (net/netfilter/nft_socket.c).
      if (match.level < 1) invalid('the level of a cgroup must be at least 1');
      return `socket cgroupv2 level ${numberText('level', match.level, 255)} @${nameText('set', match.set)}`;
    case 'protocol':
      return `meta l4proto { ${match.protocols.map((word) => oneOf('protocol', word, ['tcp', 'udp'])).join(', ')} }`;
    case 'dports':
      return `th dport { ${match.ports.map(rangeText).join(', ')} }`;
    case 'iifname':
    case 'oifname-not': {
      const names = `{ ${match.names.map(interfaceText).join(', ')} }`;
      return match.kind === 'iifname' ? `iifname ${names}` : `oifname != ${names}`;
    }
    case 'mark-unset': {
      const bits = hexText('mark', match.mark);
      return `meta mark & ${bits} != ${bits}`;
    }
  }
}

function filledText({ seconds, most }: { readonly seconds: number; readonly most: number }): string {
  const size = numberText('size', most, 0xffffffff);
  return ` flags dynamic, timeout; timeout ${numberText('timeout', seconds, 0xffffffff)}s; size ${size};`;
}

function actionText(action: RuleAction): string {
  switch (action.kind) {
    case 'return':
      return 'return';
    case 'accept':
      return 'accept';
    case 'count':
      return 'counter';
    case 'count-and-drop':
      return 'counter drop';
    case 'jump':
      return `jump ${nameText('chain', action.chain)}`;
    case 'note':
      return `update @${nameText('set', action.set)} { ${destinationText(action.type)} }`;
    case 'mark': {
      if ((action.mark & ~action.mask) !== 0) invalid('the mark has bits outside of its mask');
      const rest = (~action.mask & 0xffffffff) >>> 0;
      return `meta mark set meta mark & ${hexText('mask', rest)} | ${hexText('mark', action.mark)}`;
    }
  }
}

/** Undefined where there is nothing to do: nft takes no empty element list. */
function render(operation: NftOperation): string | undefined {
  switch (operation.op) {
    case 'add-table': {
      const flags = (operation.flags ?? []).map((flag) => oneOf('flag', flag, ['owner', 'persist']));
      const table = `add table ${tableText(operation.table)}`;
      return flags.length === 0 ? table : `${table} { flags ${flags.join(', ')}; }`;
    }
    case 'delete-table':
      return `delete table ${tableText(operation.table)}`;
    case 'add-set': {
      const type = oneOf('type', operation.type, [...addressTypes, 'cgroupsv2']);
      const counters = operation.counters === true ? ' counter;' : '';
      const filled = operation.filledByPackets === undefined ? '' : filledText(operation.filledByPackets);
      return `add set ${setText(operation.table, operation.set)} { type ${type};${counters}${filled} }`;
    }
    case 'add-chain': {
      const type = oneOf('type', operation.type, ['filter', 'route']);
      const hook = oneOf('hook', operation.hook, ['prerouting', 'input', 'output', 'forward']);
      const chain = `${tableText(operation.table)} ${nameText('chain', operation.chain)}`;
      return `add chain ${chain} { type ${type} hook ${hook} priority mangle; policy accept; }`;
    }
    case 'add-rule': {
      const words = [...operation.when.map(matchText), actionText(operation.action)];
      return `add rule ${tableText(operation.table)} ${nameText('chain', operation.chain)} ${words.join(' ')}`;
    }
    case 'add-plain-chain': {
      const comment = commentText(operation.comment);
      return `add chain ${chainText(operation.table, operation.chain)} { comment ${comment}; }`;
    }
    case 'flush-chain':
    case 'delete-chain':
      return `${operation.op.replace('-', ' ')} ${chainText(operation.table, operation.chain)}`;
    case 'add-statement':
      return `add rule ${chainText(operation.table, operation.chain)} ${statementText(operation.statement)}`;
    case 'add-cgroups': {
      if (operation.paths.length === 0) return undefined;
      return `add element ${setText(operation.table, operation.set)} { ${operation.paths.map(cgroupText).join(', ')} }`;
    }
    case 'add-members': {
      if (operation.members.length === 0) return undefined;
      const members = operation.members.map(statementText).join(', ');
      return `add element ${setText(operation.table, operation.set)} { ${members} }`;
    }
    case 'flush-set':
      return `flush set ${setText(operation.table, operation.set)}`;
    case 'add-elements':
    case 'delete-elements': {
      const set = setText(operation.table, operation.set);
      if (operation.addresses.length === 0) return undefined;
      const verb = operation.op === 'add-elements' ? 'add' : 'delete';
      return `${verb} element ${set} { ${operation.addresses.map(addressText).join(', ')} }`;
    }
    case 'list-tables':
      return 'list tables';
    case 'list-chains':
    case 'list-sets':
      return `${operation.op.replace('-', ' ')} ${oneOf('family', operation.family, nftFamilies)}`;
    case 'include':
      return `include ${filePathText(operation.path)}`;
    case 'list-set':
      return `list set ${setText(operation.table, operation.set)}`;
    default:
      return invalid(`no such operation: ${JSON.stringify((operation as { op: unknown }).op)}`);
  }
}
