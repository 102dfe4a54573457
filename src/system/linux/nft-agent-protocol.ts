/** What the supervisor and `nft-agent --supervised` say to each other: JSON, one message a line, every value checked on arrival. */
//
// Requests come on the agent's standard input, replies and events go out on its standard output. The first request is `configure`,
// the first that fills sets is `replace`. Each request gets one reply with its id, in order; events come at any time.
import { NetstewardError } from '../../core/errors.ts';
import type { GuardSpec } from '../guard-table.ts';
import { canonicalAddress } from '../nft-address.ts';
import {
  type AddressType,
  addressTypes,
  identifierProblem,
  interfaceProblem,
  type NftFamily,
  nftFamilies,
} from '../nft-script.ts';
import { isExitName } from '../own-exits.ts';

/** No message is longer, in bytes: 300 000 IPv6 addresses fit. */
export const longestMessage = 16 * 1024 * 1024;
const mostSets = 64;
const mostInterfaces = 64;

export interface OwnTableConfig {
  readonly kind: 'own';
  readonly name: string;
  readonly mark: number;
  readonly mask: number;
  readonly markForwarded: boolean;
  readonly markOwn: boolean;
  readonly exemptSourcePorts: { readonly from: number; readonly to: number } | undefined;
  readonly exemptUid: number | undefined;
  /** The static table that stays without the own one, and drops what has not passed it (system/guard-table.ts). */
  readonly guard?: GuardSpec | undefined;
  /** Instead of the one way around: each exit with sets and a mark of its own, under the same mask. */
  readonly exits?: readonly OwnExit[] | undefined;
  /** The sets drop4 and drop6, whose addresses are dropped. */
  readonly drops?: boolean | undefined;
  /** The sets listed4 and listed6, to be filled, and rules that note which of their addresses packets go to. */
  readonly inUse?: boolean | undefined;
  /** Connections to an address are dropped when it has come into a set of a route, or left one. */
  readonly dropConnections?: boolean | undefined;
  /** Addresses that never enter a set (resolvers). */
  readonly never: readonly string[];
}

export interface OwnExit {
  readonly name: string;
  readonly mark: number;
}

export interface ForeignSetsConfig {
  readonly kind: 'foreign';
  readonly family: NftFamily;
  readonly table: string;
  readonly sets: readonly { readonly name: string; readonly type: AddressType }[];
  /** Sets that the administrator's own rules note packets in: they are read, never changed. */
  readonly seen?: readonly string[] | undefined;
  /** Those of `sets` that mean a route: connections to an address are dropped when it has come into one, or left it. */
  readonly dropConnections?: readonly string[] | undefined;
}

export type AgentConfig = OwnTableConfig | ForeignSetsConfig;
export type OnStop = 'keep' | 'flush';

export interface SetDelta {
  readonly add: readonly string[];
  readonly delete: readonly string[];
}

export type AgentRequest =
  /** `onStop`: what the agent does by itself when the supervisor is gone (end of its standard input). */
  | { readonly type: 'configure'; readonly id: number; readonly config: AgentConfig; readonly onStop: OnStop }
  /** Whole contents; configured sets that are not named become empty. */
  | { readonly type: 'replace'; readonly id: number; readonly sets: ReadonlyMap<string, readonly string[]> }
  | { readonly type: 'update'; readonly id: number; readonly sets: ReadonlyMap<string, SetDelta> }
  /** Whether this configuration would be taken, and by which version: changes nothing. */
  | { readonly type: 'look'; readonly id: number; readonly config: AgentConfig }
  /** Which addresses packets went to lately, as the sets of the configuration tell. */
  | { readonly type: 'used'; readonly id: number }
  /** From now on instead of configure's `onStop`. */
  | { readonly type: 'on-stop'; readonly id: number; readonly mode: OnStop }
  /** The agent leaves the kernel as `mode` says, replies, and exits. */
  | { readonly type: 'stop'; readonly id: number; readonly mode: OnStop };

export type TableKind = 'owner' | 'owner-persist' | 'plain' | 'foreign';

export type AgentEvent =
  /** `reason`: why it is not a better kind. */
  | { readonly event: 'table'; readonly table: TableKind; readonly reason?: string }
  /** Contents were put back after others had changed them; `elements`: how many were missing or too many. */
  | { readonly event: 'refilled'; readonly elements: number }
  /** The kernel does not hold what was asked; the agent goes on trying. */
  | { readonly event: 'problem'; readonly code: string; readonly message: string; readonly remedy?: string }
  /** The kernel holds what was asked again. */
  | { readonly event: 'recovered' }
  /** So many addresses have changed their route, and so many connections to them were dropped; or why they were not. */
  | { readonly event: 'connections'; readonly addresses: number; readonly dropped: number }
  | { readonly event: 'connections'; readonly addresses: number; readonly problem: string };

export type AgentMessage =
  /** `version`: of the agent, to a `look`. `used`: addresses with the seconds since their last packet, to a `used`. */
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: true;
      readonly version?: string;
      readonly used?: readonly Used[];
    }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly remedy?: string;
    }
  | ({ readonly type: 'event' } & AgentEvent);

export type Used = readonly [address: string, ago: number];

type Json = Readonly<Record<string, unknown>>;

function bad(message: string): NetstewardError {
  return new NetstewardError('agent-message-invalid', `nft-agent protocol: ${message}`);
}

function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} must be an object`);
  return value as Json;
}

function exactly(value: Json, what: string, keys: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) throw bad(`${what} has an unknown key ${JSON.stringify(key.slice(0, 40))}`);
  }
}

function whole(value: unknown, what: string, most: number, least = 0): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw bad(`${what} must be a whole number from ${least} to ${most}`);
}

function flag(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw bad(`${what} must be true or false`);
}

function word<Word extends string>(value: unknown, what: string, words: readonly Word[]): Word {
  const found = words.find((candidate) => candidate === value);
  if (found === undefined) throw bad(`${what} must be one of ${words.join(', ')}`);
  return found;
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw bad(`${what} must be text`);
}

function name(value: unknown, what: string): string {
  const found = text(value, what);
  const problem = identifierProblem(found);
  if (problem !== undefined) throw bad(`${what} ${problem}`);
  return found;
}

function list(value: unknown, what: string, most = Number.MAX_SAFE_INTEGER): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw bad(`${what} must be a list${most === Number.MAX_SAFE_INTEGER ? '' : ` of at most ${most}`}`);
}

function addresses(value: unknown, what: string): readonly string[] {
  return list(value, what).map((address) => {
    const found = typeof address === 'string' ? canonicalAddress(address) : undefined;
    if (found === undefined) throw bad(`${what} has ${JSON.stringify(address)?.slice(0, 60)}: not an IP address`);
    return found;
  });
}

function bySet<Value>(value: unknown, parse: (value: unknown, what: string) => Value): ReadonlyMap<string, Value> {
  const entries = Object.entries(object(value, 'sets'));
  if (entries.length > mostSets) throw bad(`sets must not name more than ${mostSets}`);
  return new Map(entries.map(([set, content]) => [name(set, 'the name of a set'), parse(content, `sets.${set}`)]));
}

function delta(value: unknown, what: string): SetDelta {
  const found = object(value, what);
  exactly(found, what, ['add', 'delete']);
  return { add: addresses(found.add ?? [], what), delete: addresses(found.delete ?? [], what) };
}

function agentConfig(value: unknown): AgentConfig {
  const found = object(value, 'config');
  if (word(found.kind, 'config.kind', ['own', 'foreign']) === 'own') return ownTable(found);
  exactly(found, 'config', ['kind', 'family', 'table', 'sets', 'seen', 'dropConnections']);
  const sets = list(found.sets, 'config.sets', mostSets).map((entry) => {
    const set = object(entry, 'config.sets');
    exactly(set, 'config.sets', ['name', 'type']);
    return { name: name(set.name, 'config.sets.name'), type: word(set.type, 'config.sets.type', addressTypes) };
  });
  if (new Set(sets.map((set) => set.name)).size < sets.length) throw bad('config.sets names a set twice');
  return {
    kind: 'foreign',
    family: word(found.family, 'config.family', nftFamilies),
    table: name(found.table, 'config.table'),
    sets,
    ...(found.seen === undefined ? {} : { seen: seenSets(found.seen) }),
    ...(found.dropConnections === undefined ? {} : { dropConnections: routeSets(found.dropConnections, sets) }),
  };
}

function seenSets(value: unknown): readonly string[] {
  return list(value, 'config.seen', mostSets).map((set) => name(set, 'config.seen'));
}

function routeSets(value: unknown, sets: ForeignSetsConfig['sets']): readonly string[] {
  return list(value, 'config.dropConnections', mostSets).map((set) => {
    if (!sets.some((known) => known.name === set)) throw bad('config.dropConnections names what is not in config.sets');
    return set as string;
  });
}

const ownKeys = 'kind name mark mask markForwarded markOwn exemptSourcePorts exemptUid guard exits drops never'
  .split(' ')
  .concat('inUse', 'dropConnections');

function ownTable(found: Json): OwnTableConfig {
  exactly(found, 'config', ownKeys);
  const mask = whole(found.mask, 'config.mask', 0xffffffff, 1);
  const mark = whole(found.mark, 'config.mark', 0xffffffff, 1);
  if ((mark & ~mask) !== 0) throw bad('config.mark has bits outside of config.mask');
  const ports = found.exemptSourcePorts === undefined ? undefined : object(found.exemptSourcePorts, 'ports');
  if (ports !== undefined) exactly(ports, 'config.exemptSourcePorts', ['from', 'to']);
  const from = whole(ports?.from ?? 1, 'config.exemptSourcePorts.from', 65535, 1);
  return {
    kind: 'own',
    name: name(found.name, 'config.name'),
    mark,
    mask,
    markForwarded: flag(found.markForwarded, 'config.markForwarded'),
    markOwn: flag(found.markOwn, 'config.markOwn'),
    exemptSourcePorts:
      ports === undefined ? undefined : { from, to: whole(ports.to, 'config.exemptSourcePorts.to', 65535, from) },
    exemptUid: found.exemptUid === undefined ? undefined : whole(found.exemptUid, 'config.exemptUid', 0xfffffffe),
    guard: found.guard === undefined ? undefined : guardSpec(found.guard, mask),
    exits: found.exits === undefined ? undefined : ownExits(found.exits, mask),
    drops: found.drops === undefined ? undefined : flag(found.drops, 'config.drops'),
    ...(found.inUse === undefined ? {} : { inUse: flag(found.inUse, 'config.inUse') }),
    ...(found.dropConnections === undefined
      ? {}
      : { dropConnections: flag(found.dropConnections, 'config.dropConnections') }),
    never: addresses(found.never, 'config.never'),
  };
}

function guardSpec(value: unknown, mask: number): GuardSpec {
  const found = object(value, 'config.guard');
  exactly(found, 'config.guard', ['interfaces', 'mark']);
  const interfaces = list(found.interfaces, 'config.guard.interfaces', mostInterfaces).map((each) => {
    const problem = typeof each === 'string' ? interfaceProblem(each) : 'must be text';
    if (problem !== undefined) throw bad(`config.guard.interfaces: ${problem}`);
    return each as string;
  });
  if (interfaces.length === 0) throw bad('config.guard.interfaces must not be empty');
  const mark = whole(found.mark, 'config.guard.mark', 0xffffffff, 1);
  if ((mark & mask) !== 0) throw bad('config.guard.mark has bits of config.mask');
  return { interfaces, mark };
}

function ownExits(value: unknown, mask: number): readonly OwnExit[] {
  const exits = list(value, 'config.exits', 16).map((entry) => {
    const exit = object(entry, 'config.exits');
    exactly(exit, 'config.exits', ['name', 'mark']);
    const found = text(exit.name, 'config.exits.name');
    if (!isExitName(found)) throw bad('config.exits.name must be 1 to 32 letters, digits, "_" and "-"');
    const mark = whole(exit.mark, 'config.exits.mark', 0xffffffff, 1);
    if ((mark & ~mask) !== 0) throw bad('config.exits.mark has bits outside of config.mask');
    return { name: found, mark };
  });
  if (new Set(exits.map((exit) => exit.name)).size < exits.length) throw bad('config.exits names an exit twice');
  return exits;
}

/** Throws NetstewardError `agent-message-invalid`. */
export function parseRequest(line: string): AgentRequest {
  const message = object(parseJson(line), 'a request');
  const id = whole(message.id, 'id', Number.MAX_SAFE_INTEGER);
  const type = word(message.type, 'type', ['configure', 'look', 'replace', 'update', 'used', 'on-stop', 'stop']);
  switch (type) {
    case 'configure': {
      exactly(message, type, ['type', 'id', 'config', 'onStop']);
      const onStop = word(message.onStop, 'onStop', ['keep', 'flush']);
      return { type, id, config: agentConfig(message.config), onStop };
    }
    case 'look':
      exactly(message, type, ['type', 'id', 'config']);
      return { type, id, config: agentConfig(message.config) };
    case 'replace':
      exactly(message, type, ['type', 'id', 'sets']);
      return { type, id, sets: bySet(message.sets, addresses) };
    case 'update':
      exactly(message, type, ['type', 'id', 'sets']);
      return { type, id, sets: bySet(message.sets, delta) };
    case 'used':
      exactly(message, type, ['type', 'id']);
      return { type, id };
    case 'on-stop':
    case 'stop':
      exactly(message, type, ['type', 'id', 'mode']);
      return { type, id, mode: word(message.mode, 'mode', ['keep', 'flush']) };
  }
}

/** The id of a request that could not be parsed otherwise, so that it can be answered. */
export function requestIdOf(line: string): number | undefined {
  try {
    const id = object(parseJson(line), 'a request').id;
    return typeof id === 'number' && Number.isInteger(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** The supervisor's side. Throws NetstewardError `agent-message-invalid`. */
export function parseAgentMessage(line: string): AgentMessage {
  const message = object(parseJson(line), 'a message');
  const remedy = message.remedy === undefined ? {} : { remedy: text(message.remedy, 'remedy') };
  if (word(message.type, 'type', ['reply', 'event']) === 'reply') {
    const id = whole(message.id, 'id', Number.MAX_SAFE_INTEGER);
    const version = message.version === undefined ? {} : { version: text(message.version, 'version') };
    const used = message.used === undefined ? {} : { used: usedAddresses(message.used) };
    if (flag(message.ok, 'ok')) return { type: 'reply', id, ok: true, ...version, ...used };
    const code = text(message.code, 'code');
    return { type: 'reply', id, ok: false, code, message: text(message.message, 'message'), ...remedy };
  }
  const event = word(message.event, 'event', ['table', 'refilled', 'problem', 'recovered', 'connections']);
  switch (event) {
    case 'table': {
      const table = word(message.table, 'table', ['owner', 'owner-persist', 'plain', 'foreign']);
      const reason = message.reason === undefined ? {} : { reason: text(message.reason, 'reason') };
      return { type: 'event', event, table, ...reason };
    }
    case 'refilled':
      return { type: 'event', event, elements: whole(message.elements, 'elements', Number.MAX_SAFE_INTEGER) };
    case 'problem': {
      const code = text(message.code, 'code');
      return { type: 'event', event, code, message: text(message.message, 'message'), ...remedy };
    }
    case 'recovered':
      return { type: 'event', event };
    case 'connections': {
      const count = whole(message.addresses, 'addresses', Number.MAX_SAFE_INTEGER);
      if (message.problem !== undefined) {
        return { type: 'event', event, addresses: count, problem: text(message.problem, 'problem') };
      }
      const dropped = whole(message.dropped, 'dropped', Number.MAX_SAFE_INTEGER);
      return { type: 'event', event, addresses: count, dropped };
    }
  }
}

/** As many as an agent tells of at most (nft-seen-sets.ts). */
const mostUsed = 4096;

function usedAddresses(value: unknown): readonly Used[] {
  return list(value, 'used', mostUsed).map((entry) => {
    const [address, ago] = list(entry, 'used', 2);
    const [found = ''] = addresses([address], 'used');
    if (typeof ago !== 'number' || !(ago >= 0)) throw bad('used must have seconds with each address');
    return [found, ago];
  });
}

/** One line, with its end. */
export function requestLine(request: AgentRequest): string {
  const sets = 'sets' in request ? { sets: Object.fromEntries(request.sets) } : {};
  return `${JSON.stringify({ ...request, ...sets })}\n`;
}

export function messageLine(message: AgentMessage): string {
  return `${JSON.stringify(message)}\n`;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw bad('a line is not JSON');
  }
}
