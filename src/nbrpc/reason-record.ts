/** Causes in the records of the state: what a check or an answer makes of the known one, and which one is told of a host (pure). */
import type { AddressRecord, CheckResult } from './model.ts';
import { type Cause, type CauseCode, type CauseKind, causeOfName, noCause } from './reason.ts';
import { keepFinding } from './reason-look.ts';
import { causeSentence } from './reason-text.ts';
import type { ResolvedHost } from './resolve.ts';
import type { HostEntry } from './state.ts';

interface WithCause {
  readonly cause?: Cause;
}

/** Of an address, after a check over the direct route. */
export function causeAfter({ cause: known = noCause }: WithCause, result: CheckResult): Cause {
  if (result.kind === 'untried') return known;
  return result.kind === 'fail' ? keepFinding(known, result.cause ?? noCause) : noCause;
}

/** Of a name, after DNS was asked. */
export function nameCauseAfter(
  { cause: known = noCause }: WithCause,
  resolved: Parameters<typeof causeOfName>[0],
): Cause {
  return keepFinding(known, causeOfName(resolved));
}

/** What a look has found, where the newest word does not speak against it; undefined: it comes too late. */
export function findingFor({ cause: known }: WithCause, found: Cause): Cause | undefined {
  if (known === undefined || keepFinding(found, known) !== found) return undefined;
  const { kind, code, detail } = found;
  return known.kind === kind && known.code === code && known.detail === detail ? undefined : found;
}

/** A record without a cause has no such key. */
export function withCause<Item extends WithCause>(record: Item, found: Cause): Item {
  if (found.kind !== 'none') return { ...record, cause: found };
  if (record.cause === undefined) return record;
  const { cause: _, ...rest } = record;
  return rest as Item;
}

/** Of the address that its reason names: the first that is blocked, else the first that fails, where that matters; else of its name. */
export function hostCause({ record, addresses }: HostEntry): Cause {
  let first: AddressRecord | undefined;
  // For each of many thousands, at each change: without lists in between.
  for (const address of addresses.values()) {
    if (address.cause === undefined || (record.state === 'ok' && address.state !== 'na')) continue;
    if (first === undefined || comesBefore(address, first)) first = address;
  }
  return first?.cause ?? record.cause ?? noCause;
}

function comesBefore(a: AddressRecord, b: AddressRecord): boolean {
  const blocked = a.state === 'na';
  return blocked === (b.state === 'na') ? a.address < b.address : blocked;
}

/** For health, status and page. `text`: the sentence for people. JSON values only. */
export interface CauseStatus {
  readonly kind: CauseKind;
  readonly code: CauseCode;
  readonly text: string;
}

/** Null: nothing is wrong, or nobody knows more than the reason says. */
export function causeStatus(known: Cause = noCause): CauseStatus | null {
  const { kind, code } = known;
  return kind === 'none' ? null : { kind, code, text: causeSentence(known) };
}

/** What of an answer tells a cause. */
export type Answered = Pick<ResolvedHost, 'junk' | 'answered' | 'failure'>;
