/** The picture of the hosts: bounded, however many there are, and what matters first. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostsStatus, type Knowledge, mostAddresses, mostHosts } from '../../../src/nbrpc/status.ts';
import { entry, policy, state } from './build-state.ts';

const fallback = policy('af-all');
const known = (blocked: readonly string[] = [], without?: string): Knowledge => ({
  blocked: new Set(blocked),
  whyUnchecked: (_host, address) => (address.includes(':') ? without : undefined),
});
const dns = (type: string) => ({ check: { type, path: '/', result: '' } });

describe('the status of the hosts', () => {
  it('says where each stands', () => {
    const hosts = [
      entry('around', { state: 'na' }, '1.1.1.1=na'),
      entry('decided', { state: 'na' }, '1.1.1.2=na'),
      entry('grace', { state: 'failing' }, '1.1.1.3=na'),
      entry('down', { state: 'unstable' }, '1.1.1.4=na'),
      entry('six', { state: 'unstable' }, '1::1=?'),
      entry('both', { state: 'unstable' }, '1::2=? 1.1.1.5=ok'),
      entry('odd', { state: 'unstable', ...dns('ftp') }, '1.1.1.6=?'),
      entry('new', { state: null }, ''),
      entry('soon', { state: null, checked: 5 }, '1.1.1.7=?'),
      entry('edited', { state: null }, '1.1.1.8=na'),
      entry('dead', { state: null, checked: 5 }, ''),
      entry('ok', { state: 'ok' }, '1.1.1.9=ok'),
      entry('shares', { state: 'ok' }, '1.1.1.1=ok'),
    ];
    const status = hostsStatus(state(...hosts), fallback, known(['1.1.1.1'], 'no IPv6 route'));
    assert.deepEqual(Object.fromEntries(status.hosts.map(({ name, standing }) => [name, standing])), {
      around: 'rerouted',
      both: 'ok',
      dead: 'unresolved',
      decided: 'failing',
      down: 'failing',
      edited: 'waiting',
      grace: 'failing',
      new: 'waiting',
      odd: 'unchecked',
      ok: 'ok',
      shares: 'rerouted',
      six: 'unchecked',
      soon: 'waiting',
    });
    const { byStanding, byState, total, moreHosts } = status;
    assert.deepEqual(byStanding, {
      dropped: 0,
      rerouted: 2,
      failing: 3,
      unchecked: 2,
      unresolved: 1,
      waiting: 3,
      ok: 2,
    });
    assert.deepEqual(byState, { ok: 2, failing: 1, unstable: 4, na: 2, unknown: 4 });
    assert.deepEqual([total, moreHosts], [13, 0]);
    assert.equal(status.hosts.find(({ name }) => name === 'six')?.addresses[0]?.reason, 'not checked (no IPv6 route)');
  });

  it('shows only so many hosts and addresses, those that matter most, and counts the others', () => {
    const many = Array.from({ length: 3000 }, (_, i) => {
      const name = `h${String(i).padStart(4, '0')}`;
      return entry(name, { state: 'ok' }, `9.9.${i >> 8}.${i & 255}=ok`);
    });
    const wide = Array.from({ length: 500 }, (_, i) => `8.8.${i >> 8}.${i & 255}=ok`).join(' ');
    const hosts = [...many, entry('wide', { state: 'failing' }, `${wide} 9.0.0.1=na`)];
    const status = hostsStatus(state(...hosts), fallback, known(['9.9.11.183']));
    assert.deepEqual([status.hosts.length, status.total, status.moreHosts], [mostHosts, 3001, 3001 - mostHosts]);
    const names = status.hosts.map(({ name }) => name);
    assert.deepEqual([names[0], names.at(-2), names.at(-1)], ['h0000', 'h2999', 'wide']);
    const last = status.hosts.at(-1);
    assert.deepEqual([last?.addresses.length, last?.moreAddresses], [mostAddresses, 501 - mostAddresses]);
    assert.equal(last?.addresses.at(-1)?.address, '9.0.0.1');
    assert.deepEqual(status.byStanding, {
      dropped: 0,
      rerouted: 1,
      failing: 1,
      unchecked: 0,
      unresolved: 0,
      waiting: 0,
      ok: 2999,
    });
  });

  it('stays far below what the control client takes, with everything at its longest', () => {
    const reason = 'x'.repeat(300);
    const addresses = Array.from({ length: 100 }, (_, i) => `2606:4700:1111:2222:3333:4444:5555:${i + 4096}=na`).join(
      ' ',
    );
    const hosts = Array.from({ length: 1000 }, (_, i) => {
      const made = entry(`${'n'.repeat(240)}${i}`, { state: 'na', reason }, addresses);
      const long = [...made.addresses].map(([text, each]) => [text, { ...each, reason, altReason: reason }] as const);
      return { ...made, addresses: new Map(long) };
    });
    const text = JSON.stringify(hostsStatus(state(...hosts), fallback, known()));
    assert.ok(text.length < 8 * 1024 * 1024, `${text.length} characters`);
  });
});
