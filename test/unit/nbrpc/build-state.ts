/** Makers of states for the tests, from short texts. */
import type { AddressRecord, HostRecord } from '../../../src/nbrpc/model.ts';
import { type Policy, parsePolicy } from '../../../src/nbrpc/policy-spec.ts';
import { type HostEntry, State } from '../../../src/nbrpc/state.ts';

export function policy(text: string): Policy {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.policy;
}

export function hostRecord(name: string, over: Partial<HostRecord> = {}): HostRecord {
  const check = { type: 'https', path: '/', result: '' };
  const times = { checked: 0, changed: 0, failingSince: 0 };
  const { changed = 0, failingSince = 0 } = over;
  const counted = { changedCounted: changed, failingCounted: failingSince };
  return { name, order: 1, check, policy: '', state: null, ...times, ...counted, reason: '', ...over };
}

export function addressRecord(address: string, over: Partial<AddressRecord> = {}): AddressRecord {
  const times = { seen: 100, checked: 100, changed: 100, altChecked: 0, down: 0 };
  return { address, order: 1, state: null, reason: '', altReason: '', ...times, ...over };
}

/** `1.2.3.4=ok` `1::2=na` `1.1.1.1=?` (never decided) `1.1.1.1=skipped`; a `-` at the end: not in the newest DNS answer. */
export function addresses(text: string): ReadonlyMap<string, AddressRecord> {
  const map = new Map<string, AddressRecord>();
  for (const item of text.split(' ').filter((part) => part !== '')) {
    const [address = '', rest = ''] = item.split('=');
    const seen = rest.endsWith('-') ? 50 : 100;
    const word = rest.replace('-', '');
    const state = word === 'ok' || word === 'na' || word === 'skipped' ? word : null;
    const times = state === null ? { checked: 0, changed: 0 } : {};
    map.set(address, addressRecord(address, { order: map.size + 1, state, seen, ...times }));
  }
  return map;
}

export function entry(name: string, over: Partial<HostRecord>, text: string): HostEntry {
  return { record: hostRecord(name, over), addresses: addresses(text) };
}

export function state(...entries: HostEntry[]): State {
  return new State(entries);
}
