/** The only maker of nft text: operations are plain data, and a script is their validated rendering (pure). */
import { NetstewardError } from '../core/errors.ts';
import { canonicalAddress } from './nft-address.ts';

export const nftFamilies = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'] as const;
export type NftFamily = (typeof nftFamilies)[number];

export const addressTypes = ['ipv4_addr', 'ipv6_addr'] as const;
export type AddressType = (typeof addressTypes)[number];

export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
}

export type TableFlag = 'owner' | 'persist';

export type RuleMatch =
  | { readonly kind: 'daddr-in-set'; readonly type: AddressType; readonly set: string }
  | { readonly kind: 'sport'; readonly protocol: 'tcp' | 'udp'; readonly from: number; readonly to: number }
  | { readonly kind: 'skuid'; readonly uid: number };

/** `mark`: the bits of `mask` are set to those of `mark`, all others stay. */
export type RuleAction =
  | { readonly kind: 'return' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'count' }
  | { readonly kind: 'mark'; readonly mark: number; readonly mask: number };

export type NftOperation =
  | { readonly op: 'add-table'; readonly table: NftTable; readonly flags?: readonly TableFlag[] }
  | { readonly op: 'delete-table'; readonly table: NftTable }
  | { readonly op: 'add-set'; readonly table: NftTable; readonly set: string; readonly type: AddressType }
  | {
      readonly op: 'add-chain';
      readonly table: NftTable;
      readonly chain: string;
      readonly type: 'filter' | 'route';
      readonly hook: 'prerouting' | 'input' | 'output';
    }
  | {
      readonly op: 'add-rule';
      readonly table: NftTable;
      readonly chain: string;
      readonly when: readonly RuleMatch[];
      readonly action: RuleAction;
    }
  | { readonly op: 'flush-set'; readonly table: NftTable; readonly set: string }
  | ElementsOperation
  | { readonly op: 'list-tables' }
  /** All of a family: nft lists neither by table. */
  | { readonly op: 'list-chains' | 'list-sets'; readonly family: NftFamily }
  | { readonly op: 'list-set'; readonly table: NftTable; readonly set: string };

export interface ElementsOperation {
  readonly op: 'add-elements' | 'delete-elements';
  readonly table: NftTable;
  readonly set: string;
  readonly addresses: readonly string[];
}

/** Made by nftScript() alone, so that every byte of `text` has been validated. One operation a line. */
export class NftScript {
  readonly #lines: readonly string[];
  readonly operations: readonly NftOperation[];

  /** Renders, and throws NetstewardError `nft-script-invalid` for any value that is not what it has to be. */
  constructor(operations: readonly NftOperation[]) {
    this.operations = operations;
    this.#lines = operations.flatMap((operation) => render(operation) ?? []);
  }

  /** Lines, as a file for `nft -f` would have them; empty when there is nothing to do. */
  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** The same on one line without an end: `nft -i` takes each line as a transaction of its own. */
  get line(): string {
    return this.#lines.join('; ');
  }

  get empty(): boolean {
    return this.#lines.length === 0;
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

// The scanner's `string` (nft src/scanner.l) and NFT_NAME_MAXLEN of linux/netfilter/nf_tables.h, which counts the final NUL.
const identifier = /^[A-Za-z][A-Za-z0-9/\\_.-]*$/;
const longestName = 255;

/** What is wrong with the name of a table, chain or set, or undefined. Keywords of nft are left for nft to refuse. */
export function identifierProblem(name: string): string | undefined {
  if (typeof name !== 'string' || name === '') return 'must not be empty';
  if (name.length > longestName) return `must not be longer than ${longestName} characters`;
  // The scanner would take a backslash, but it starts a continuation in shells and files: no real name has one.
  if (!identifier.test(name) || name.includes('\\')) {
    return 'must start with a letter and go on with letters, digits, "-", "_", "." or "/"';
  }
  return undefined;
}

function invalid(message: string): never {
  throw new NetstewardError('nft-script-invalid', message);
}

function nameText(what: string, name: string): string {
  const problem = identifierProblem(name);
  if (problem !== undefined) invalid(`${what} ${JSON.stringify(name)?.slice(0, 80)} ${problem}`);
  return name;
}

function oneOf<Word extends string>(what: string, word: Word, words: readonly Word[]): Word {
  if (!words.includes(word)) invalid(`${what} must be one of ${words.join(', ')}, not ${JSON.stringify(word)}`);
  return word;
}

function numberText(what: string, value: number, most: number): string {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    invalid(`${what} must be a whole number from 0 to ${most}, not ${JSON.stringify(value)}`);
  }
  return String(value);
}

function hexText(what: string, value: number): string {
  numberText(what, value, 0xffffffff);
  return `0x${value.toString(16).padStart(8, '0')}`;
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

function matchText(match: RuleMatch): string {
  switch (match.kind) {
    case 'daddr-in-set': {
      const layer = oneOf('type', match.type, addressTypes) === 'ipv4_addr' ? 'ip' : 'ip6';
      return `${layer} daddr @${nameText('set', match.set)}`;
    }
    case 'sport': {
      const from = numberText('port', match.from, 65535);
      const to = numberText('port', match.to, 65535);
      if (match.from > match.to) invalid(`the port range ${from}-${to} is empty`);
      return `${oneOf('protocol', match.protocol, ['tcp', 'udp'])} sport ${from === to ? from : `${from}-${to}`}`;
    }
    case 'skuid':
      return `meta skuid ${numberText('uid', match.uid, 0xfffffffe)}`;
  }
}

function actionText(action: RuleAction): string {
  switch (action.kind) {
    case 'return':
      return 'return';
    case 'accept':
      return 'accept';
    case 'count':
      return 'counter';
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
      const type = oneOf('type', operation.type, addressTypes);
      return `add set ${setText(operation.table, operation.set)} { type ${type}; }`;
    }
    case 'add-chain': {
      const type = oneOf('type', operation.type, ['filter', 'route']);
      const hook = oneOf('hook', operation.hook, ['prerouting', 'input', 'output']);
      const chain = `${tableText(operation.table)} ${nameText('chain', operation.chain)}`;
      return `add chain ${chain} { type ${type} hook ${hook} priority mangle; policy accept; }`;
    }
    case 'add-rule': {
      const words = [...operation.when.map(matchText), actionText(operation.action)];
      return `add rule ${tableText(operation.table)} ${nameText('chain', operation.chain)} ${words.join(' ')}`;
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
    case 'list-set':
      return `list set ${setText(operation.table, operation.set)}`;
    default:
      return invalid(`no such operation: ${JSON.stringify((operation as { op: unknown }).op)}`);
  }
}
