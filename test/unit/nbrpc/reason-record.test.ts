/** Causes in the state: what stays, what a late finding is worth, and which one stands for a host. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cause, noCause } from '../../../src/nbrpc/reason.ts';
import { foundIn } from '../../../src/nbrpc/reason-keeping.ts';
import { causeAfter, causeStatus, hostCause, withCause } from '../../../src/nbrpc/reason-record.ts';
import type { HostEntry } from '../../../src/nbrpc/state.ts';
import { addressRecord, hostRecord, state } from './build-state.ts';

const reset = cause('tls', 'reset', '');
const sni = cause('tls', 'sni', 'reset on the ClientHello');
const fail = (found = reset) => ({ kind: 'fail', reason: 'tls reset', cause: found }) as const;

function host(name: string, ...addresses: readonly ReturnType<typeof addressRecord>[]): HostEntry {
  return { record: hostRecord(name), addresses: new Map(addresses.map((each) => [each.address, each])) };
}

describe('the cause of an address', () => {
  it('is what the check says, and a finding as long as it says the same', () => {
    assert.equal(causeAfter({}, fail()), reset);
    assert.equal(causeAfter({ cause: sni }, fail()), sni);
    const refused = cause('connect', 'refused');
    assert.equal(causeAfter({ cause: sni }, fail(refused)), refused);
  });

  it('is gone with a check that works, and stays with one that could not be made', () => {
    assert.equal(causeAfter({ cause: sni }, { kind: 'ok' }), noCause);
    assert.equal(causeAfter({ cause: sni }, { kind: 'untried', detail: 'no route' }), sni);
    const known = withCause(addressRecord('9.9.9.9'), sni);
    assert.deepEqual(withCause(known, noCause), addressRecord('9.9.9.9'));
  });
});

describe('a finding', () => {
  const failing = state(host('a', withCause(addressRecord('9.9.9.9', { state: 'na' }), reset)));

  it('takes the place of what the check saw', () => {
    const [change] = foundIn(failing, 'a', '9.9.9.9', sni).hosts;
    assert.deepEqual(change?.after?.addresses.get('9.9.9.9')?.cause, sni);
    const unnamed = state({ record: withCause(hostRecord('a'), cause('name', 'nxdomain')), addresses: new Map() });
    const [named] = foundIn(unnamed, 'a', '', cause('name', 'no-such-name', '9.9.9.9')).hosts;
    assert.equal(named?.after?.record.cause?.code, 'no-such-name');
  });

  it('that comes too late, or says nothing new, changes nothing', () => {
    const works = state(host('a', addressRecord('9.9.9.9', { state: 'ok' })));
    const other = state(host('a', withCause(addressRecord('9.9.9.9'), cause('connect', 'timeout'))));
    const found = state(host('a', withCause(addressRecord('9.9.9.9'), sni)));
    for (const known of [works, other, found]) assert.deepEqual(foundIn(known, 'a', '9.9.9.9', sni).hosts, []);
    assert.deepEqual(foundIn(failing, 'a', '9.9.9.10', sni).hosts, []);
    assert.deepEqual(foundIn(failing, 'gone', '9.9.9.9', sni).hosts, []);
  });
});

describe('the cause of a host', () => {
  const down = withCause(addressRecord('9.9.9.1', { state: 'ok' }), cause('connect', 'timeout'));
  const blocked = withCause(addressRecord('9.9.9.2', { state: 'na' }), sni);

  it('is of the address that its reason names: the first that is blocked, else the first that fails', () => {
    assert.equal(hostCause(host('a', down, blocked)).code, 'sni');
    assert.equal(hostCause(host('a', addressRecord('9.9.9.0', { state: 'ok' }), down)).code, 'timeout');
  });

  it('is of its name where no address fails, and none where nothing does', () => {
    const named = host('a', addressRecord('9.9.9.1', { state: 'ok' }));
    assert.equal(hostCause(named), noCause);
    const record = withCause(named.record, cause('name', 'nxdomain'));
    assert.equal(hostCause({ ...named, record }).code, 'nxdomain');
    // One failure of a service that works says nothing of the service.
    const well = { ...host('a', down), record: hostRecord('a', { state: 'ok' }) };
    assert.equal(hostCause(well), noCause);
    assert.equal(causeStatus(hostCause(named)), null);
    assert.deepEqual(causeStatus(blocked.cause), {
      kind: 'tls',
      code: 'sni',
      text: 'TLS: reset on the ClientHello; the same address answers to another name, so it is the name (SNI)',
    });
  });
});
