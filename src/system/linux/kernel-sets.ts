/** Asks nf_tables itself over a netlink socket, since nft would resolve each cgroup id by a walk through the tree. */
import { NetstewardError } from '../../core/errors.ts';
import { NftError } from '../nft-error.ts';
import type { NftTable } from '../nft-script.ts';
import type {
  ElementKey,
  KernelChain,
  KernelCounter,
  KernelElement,
  KernelRule,
  KernelRuleset,
  KernelSet,
  RulePlace,
} from '../unit-ports.ts';
import { contentOf, textOf } from './netlink-attributes.ts';
import { NetlinkRequests } from './netlink-requests.ts';
import {
  type Answer,
  type Change,
  cgroupElements,
  cgroupKey,
  chainOf,
  elementChanges,
  generationOf,
  keyOrderOf,
  messageTypes,
  question,
  ruleOf,
  ruleRemovals,
  setOf,
  transaction,
} from './nft-kernel-messages.ts';

// asm-generic/errno-base.h, asm-generic/errno.h
const EPERM = 1;
const ENOENT = 2;
const ERESTART = 85;

const mostInterruptions = 20;
/** Elements of one transaction: what a socket's send buffer takes by default (net.core.wmem_default, 212 992 bytes). */
const mostElements = 5000;

export class NetlinkKernelSets implements KernelRuleset {
  readonly #own: NetlinkRequests;
  /** Where changes go. */
  #changes: NetlinkRequests;

  private constructor(own: NetlinkRequests) {
    this.#own = own;
    this.#changes = own;
  }

  /** Rejects with NetstewardError `koffi-missing` or NftError. */
  static async open(): Promise<NetlinkKernelSets> {
    try {
      await NetlinkRequests.load();
    } catch (cause) {
      throw new NetstewardError('koffi-missing', 'the native library koffi cannot be loaded, so there is no netlink', {
        remedy:
          'Install with its optional packages (npm ci without --omit=optional), for this processor and C library.',
        cause,
      });
    }
    return new NetlinkKernelSets(NetlinkRequests.open());
  }

  get portId(): number | undefined {
    return this.#changes.portId;
  }

  changeOver(portId: number | undefined): boolean {
    const shared = portId === undefined ? undefined : NetlinkRequests.over(portId);
    if (shared === undefined) return false;
    this.#changes = shared;
    return true;
  }

  hasTable(table: NftTable): boolean {
    return this.#exists(messageTypes.getTable, table, [[1, table.name]]);
  }

  chains(): readonly KernelChain[] {
    const answers = this.#dump(messageTypes.getChain, messageTypes.newChain, undefined, []) ?? [];
    return answers.flatMap(({ family, body }) => chainOf(family, body) ?? []);
  }

  sets(): readonly KernelSet[] {
    const answers = this.#dump(messageTypes.getSet, messageTypes.newSet, undefined, []) ?? [];
    return answers.flatMap(({ family, body }) => setOf(family, body) ?? []);
  }

  rules(table: NftTable, chain: string): readonly KernelRule[] | undefined {
    const names = [
      [1, table.name],
      [3, chain],
    ] as const;
    if (!this.#exists(messageTypes.getChain, table, names)) return undefined;
    const answers = this.#dump(messageTypes.getRule, messageTypes.newRule, table, [
      [1, table.name],
      [2, chain],
    ]);
    return answers?.flatMap(({ body }) => ruleOf(body)?.rule ?? []);
  }

  rulesOf(table: NftTable): ReadonlyMap<string, readonly KernelRule[]> {
    const answers = this.#dump(messageTypes.getRule, messageTypes.newRule, table, [[1, table.name]]) ?? [];
    const found = new Map<string, KernelRule[]>();
    for (const { body } of answers) {
      if (textOf(contentOf(body, 1)) !== table.name) continue;
      const made = ruleOf(body);
      if (made === undefined) continue;
      const rules = found.get(made.chain);
      if (rules === undefined) found.set(made.chain, [made.rule]);
      else rules.push(made.rule);
    }
    return found;
  }

  cgroups(table: NftTable, set: string): ReadonlyMap<bigint, KernelCounter | undefined> | undefined {
    const elements = this.elements(table, set);
    if (elements === undefined) return undefined;
    const found = new Map<bigint, KernelCounter | undefined>();
    for (const { id, counter } of elements) found.set(id, sum(found.get(id), counter));
    return found;
  }

  elements(table: NftTable, set: string): readonly KernelElement[] | undefined {
    const names = [
      [1, table.name],
      [2, set],
    ] as const;
    const made = this.#one(messageTypes.getSet, table, names);
    if (made === undefined) return undefined;
    const order = keyOrderOf(made);
    const answers = this.#dump(messageTypes.getElement, messageTypes.newElement, table, names);
    return answers?.flatMap(({ body }) => cgroupElements(body, order));
  }

  addCgroups(table: NftTable, set: string, ids: readonly bigint[]): void {
    for (let at = 0; at < ids.length; at += mostElements) {
      const keys = ids.slice(at, at + mostElements).map(cgroupKey);
      const errno = this.#commit(elementChanges(table, set, keys, 'add'));
      if (errno !== 0) throw refused(`elements cannot be added to the set ${setText(table, set)}`, errno);
    }
  }

  removeCgroups(table: NftTable, set: string, ids: readonly bigint[]): void {
    this.removeElements(table, set, ids.map(cgroupKey));
  }

  removeElements(table: NftTable, set: string, keys: readonly ElementKey[]): void {
    for (let at = 0; at < keys.length; at += mostElements) this.#remove(table, set, keys.slice(at, at + mostElements));
  }

  generation(): number {
    const sequence = this.#own.next();
    this.#own.send(question(messageTypes.getGeneration, false, sequence, undefined));
    for (;;) {
      for (const answer of this.#own.receive(sequence)) {
        if (answer.kind === 'ack') throw refused('the generation of the ruleset cannot be read', answer.errno);
        const generation = answer.kind === 'message' ? generationOf(answer.body) : undefined;
        if (generation === undefined) continue;
        this.#own.drain();
        return generation;
      }
    }
  }

  removeRules(table: NftTable, rules: readonly RulePlace[], generation: number): boolean {
    if (rules.length === 0) return true;
    const errno = this.#commit(ruleRemovals(table, rules), generation);
    if (errno !== 0 && errno !== ERESTART && errno !== ENOENT) {
      throw refused(`rules of the table ${table.family} ${table.name} cannot be removed`, errno);
    }
    return errno === 0;
  }

  close(): void {
    this.#own.close();
  }

  #remove(table: NftTable, set: string, keys: readonly ElementKey[]): void {
    if (keys.length === 0) return;
    const errno = this.#commit(elementChanges(table, set, keys, 'delete'));
    if (errno === 0) return;
    if (errno !== ENOENT) throw refused(`elements of the set ${setText(table, set)} cannot be removed`, errno);
    // One of them is not there any more, and so none was taken: those that are, if any.
    const there = new Set(this.elements(table, set)?.map(({ key, end }) => keyText(key, end)));
    const rest = keys.filter(({ key, end }) => there.has(keyText(key, end)));
    if (rest.length < keys.length) this.#remove(table, set, rest);
  }

  /** The first error of a transaction, 0 for none. */
  #commit(changes: readonly Change[], generation?: number): number {
    const requests = this.#changes;
    const sequence = requests.next();
    requests.send(transaction(sequence, changes, generation));
    // The kernel has answered all of it before send() returned.
    const answers = requests.drain(sequence);
    const acks = answers.flatMap((answer) => (answer.kind === 'ack' ? [answer.errno] : []));
    if (acks.length === 0) throw new NftError('other', 'the kernel does not answer a netlink request');
    return acks.find((errno) => errno !== 0) ?? 0;
  }

  #exists(type: number, table: NftTable, names: readonly (readonly [number, string])[]): boolean {
    return this.#one(type, table, names) !== undefined;
  }

  /** Attributes of what has these names; undefined when there is none. */
  #one(type: number, table: NftTable, names: readonly (readonly [number, string])[]): Buffer | undefined {
    const sequence = this.#own.next();
    this.#own.send(question(type, false, sequence, table, names));
    let found: Buffer | undefined;
    for (;;) {
      for (const answer of this.#own.receive(sequence)) {
        if (answer.kind === 'message') found = answer.body;
        if (answer.kind !== 'ack') continue;
        if (answer.errno !== 0 && answer.errno !== ENOENT) throw unreadable(table, answer.errno);
        return answer.errno === 0 ? (found ?? Buffer.alloc(0)) : undefined;
      }
    }
  }

  /** All messages of that kind; undefined when what they are of vanished meanwhile. */
  #dump(
    type: number,
    wanted: number,
    table: NftTable | undefined,
    names: readonly (readonly [number, string])[],
  ): readonly (Answer & { readonly kind: 'message' })[] | undefined {
    for (let tries = 0; tries < mostInterruptions; tries++) {
      const sequence = this.#own.next();
      this.#own.send(question(type, true, sequence, table, names));
      const answers = this.#untilDone(sequence);
      if (answers.some(({ kind }) => kind === 'interrupted')) continue;
      const error = answers.find((answer) => answer.kind === 'ack' && answer.errno !== 0);
      if (error?.kind === 'ack') {
        if (error.errno === ENOENT) return undefined;
        throw unreadable(table, error.errno);
      }
      return answers.filter((answer) => answer.kind === 'message').filter((answer) => answer.type === wanted);
    }
    throw new NftError('other', 'the ruleset changes too quickly to be read');
  }

  #untilDone(sequence: number): readonly Answer[] {
    const answers: Answer[] = [];
    for (;;) {
      const more = this.#own.receive(sequence);
      answers.push(...more);
      if (more.some(({ kind }) => kind === 'done' || kind === 'ack')) return answers;
    }
  }
}

function setText({ family, name }: NftTable, set: string): string {
  return `${family} ${name} ${set}`;
}

function keyText(key: Uint8Array, end: Uint8Array | undefined): string {
  return `${Buffer.from(key).toString('hex')} ${end === undefined ? '' : Buffer.from(end).toString('hex')}`;
}

function unreadable(table: NftTable | undefined, errno: number): NftError {
  return refused(
    table === undefined ? 'the ruleset cannot be read' : `the table ${table.family} ${table.name} cannot be read`,
    errno,
  );
}

function refused(what: string, errno: number): NftError {
  const refusal = errno === EPERM ? 'not-permitted' : errno === ENOENT ? 'missing' : 'other';
  return new NftError(refusal, `${what} (errno ${errno})`);
}

function sum(one: KernelCounter | undefined, other: KernelCounter | undefined): KernelCounter | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { packets: one.packets + other.packets, bytes: one.bytes + other.bytes };
}
