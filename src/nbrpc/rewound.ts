/** What the state needs when the wall clock was set back: a DNS answer of the future would stay the newest one (pure). */
import { newestSeen } from './policy.ts';
import { type Changes, Draft, type StateView } from './state.ts';

/**
 * Moves the DNS times of hosts that lie after `now` (seconds) to just before it, all of one host by the same span: their
 * order stays, and so does their age against each other. Times of checks need none of it: what lies ahead is due at once.
 */
export function rewound(state: StateView, now: number): Changes {
  const draft = new Draft(state);
  for (const { record, addresses } of state.hosts()) {
    const ahead = newestSeen(addresses.values()) - now;
    if (ahead <= 0) continue;
    for (const address of addresses.values()) {
      draft.putAddress(record.name, { ...address, seen: address.seen - ahead - 1 });
    }
  }
  return draft.changes();
}
