/** What other lists or settings would flip, from the state as it is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigTable } from '../../../src/core/module.ts';
import { parseCheckList } from '../../../src/nbrpc/check-list.ts';
import { type NbrpcConfig, parseNbrpc } from '../../../src/nbrpc/config.ts';
import type { ListReading } from '../../../src/nbrpc/lists.ts';
import { type HostEntry, State } from '../../../src/nbrpc/state.ts';
import { whatIf } from '../../../src/nbrpc/what-if.ts';
import { entry } from './build-state.ts';

function config(more: ConfigTable = {}): NbrpcConfig {
  const parsed = parseNbrpc({ check_lists: ['/l'], ...more });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

function list(text: string): ListReading & { readonly kind: 'version' } {
  const parsed = parseCheckList(Buffer.from(text), '/l');
  assert.ok(parsed.ok);
  return { path: '/l', kind: 'version', mtime: 5, entries: parsed.entries, remarks: [] };
}

interface Case {
  readonly hosts: readonly HostEntry[];
  /** As it is in force; `then` where it was edited. */
  readonly list: string;
  readonly edited?: string;
  readonly before?: ConfigTable;
  readonly after?: ConfigTable;
}

function planned({ hosts, list: text, edited, before, after }: Case) {
  const { entries, mtime } = list(text);
  const state = new State(hosts, [{ path: '/l', position: 0, mtime, entries }]);
  const was = JSON.stringify([...state.hosts()].map(({ record, addresses }) => [record, [...addresses]]));
  const found = whatIf(state, {
    before: config(before),
    after: config(after),
    lists: [list(edited ?? text)],
    now: 200,
    dead: new Set<string>(),
  });
  assert.equal(JSON.stringify([...state.hosts()].map(({ record, addresses }) => [record, [...addresses]])), was);
  return found;
}

const flips = (each: Case): string[] =>
  planned(each).flips.map(({ host, from, to, addresses, why }) => `${host}: ${from} > ${to} ${addresses} (${why})`);

const part = '192.0.2.1=na 192.0.2.2=ok';
const blocked = entry('a.b', { state: 'na', reason: 'tls reset at 192.0.2.1' }, part);
const exits = {
  exit: [
    { name: 'fast', source: ['10.9.0.2'] },
    { name: 'slow', source: ['10.8.0.2'], mark: 0x20000 },
  ],
  table: { mask: 0x30000 },
};

for (const schedule of ['prompt', 'original'] as const) {
  describe(`a plan under the ${schedule} schedule`, () => {
    it('has nothing where nothing differs', () => {
      const same = { before: { schedule }, after: { schedule } };
      assert.deepEqual(
        flips({ hosts: [blocked, entry('c.d', { state: 'ok' }, '192.0.2.9=ok')], list: 'a.b c.d', ...same }),
        [],
      );
    });

    it('has the addresses that another policy of the list takes off the tunnel', () => {
      const found = planned({
        hosts: [blocked],
        list: 'a.b',
        edited: 'a.b>pick',
        before: { schedule },
        after: { schedule },
      });
      assert.deepEqual(found.flips, [
        { host: 'a.b', from: 'tunnel', to: 'direct', addresses: ['192.0.2.2'], why: 'its policy: af-all → pick' },
      ]);
      assert.deepEqual(found.changed, ['a.b']);
    });

    it('has what another default policy does', () => {
      const after = { schedule, default_policy: 'noroute' };
      assert.deepEqual(flips({ hosts: [blocked], list: 'a.b', before: { schedule }, after }), [
        'a.b: tunnel > direct 192.0.2.1,192.0.2.2 (its policy: af-all → noroute)',
      ]);
    });

    it('has services that leave the lists, and names those that join them', () => {
      const found = planned({
        hosts: [blocked],
        list: 'a.b',
        edited: 'new.org',
        before: { schedule },
        after: { schedule },
      });
      assert.deepEqual(
        found.flips.map(({ host, to, why }) => `${host} ${to} ${why}`),
        ['a.b direct in no check list any more'],
      );
      assert.deepEqual([found.added, found.removed], [['new.org'], ['a.b']]);
    });
  });
}

describe('a plan', () => {
  it('has the services that a list sends around without a check', () => {
    const host = entry('a.b', { state: 'ok' }, '192.0.2.1=ok');
    assert.deepEqual(flips({ hosts: [host], list: 'a.b', edited: 'a.b=na' }), [
      'a.b: direct > tunnel 192.0.2.1 (its check: https → https=na)',
    ]);
  });

  it('has the exits that are chosen once there are some', () => {
    assert.deepEqual(flips({ hosts: [blocked], list: 'a.b', after: exits }), [
      'a.b: tunnel > exit fast 192.0.2.1,192.0.2.2 (it takes exit fast)',
    ]);
    const taken = entry('a.b', { state: 'na', exit: 'slow' }, part);
    const gone = { exit: [exits.exit[0]], table: exits.table };
    assert.deepEqual(flips({ hosts: [taken], list: 'a.b', before: exits, after: gone as ConfigTable }), [
      'a.b: exit slow > exit fast 192.0.2.1,192.0.2.2 (it takes exit fast)',
    ]);
  });

  it('keeps the exit that a service has', () => {
    const taken = entry('a.b', { state: 'na', exit: 'slow' }, part);
    assert.deepEqual(flips({ hosts: [taken], list: 'a.b', before: exits, after: exits }), []);
  });

  it('gives a service for which no exit works none of those, but one that is new', () => {
    const [fast, slow] = exits.exit;
    const without = entry('a.b', { state: 'na', exit: '' }, part);
    assert.deepEqual(flips({ hosts: [without], list: 'a.b', before: exits, after: exits }), []);
    const before = { ...exits, exit: [fast] } as ConfigTable;
    const after = { ...exits, exit: [fast, slow] } as ConfigTable;
    assert.deepEqual(flips({ hosts: [without], list: 'a.b', before, after }), [
      'a.b: direct, as no exit works > exit slow 192.0.2.1,192.0.2.2 (it takes exit slow)',
    ]);
  });

  it('has the addresses that a priority gives to another host', () => {
    const hosts = [entry('c.d', { state: 'ok' }, '192.0.2.1=ok'), blocked];
    assert.deepEqual(flips({ hosts, list: 'a.b c.d', after: { service: [{ host: 'c.d', priority: 1 }] } }), [
      'a.b: tunnel > direct 192.0.2.1 (c.d decides, by its priority)',
      'c.d: tunnel > direct 192.0.2.1 (it decides against a.b, by its priority)',
    ]);
  });

  it('has the addresses of endpoints, which never enter a set', () => {
    const after = { ...exits, exit: [{ ...exits.exit[0], endpoints: ['192.0.2.2'] }] } as ConfigTable;
    const taken = entry('a.b', { state: 'na', exit: 'fast' }, part);
    assert.deepEqual(flips({ hosts: [taken], list: 'a.b', before: exits, after }), [
      'a.b: exit fast > direct 192.0.2.2 (a resolver or an endpoint of a tunnel: it never enters a set)',
    ]);
  });

  it('keeps what a list that would be refused has in force', () => {
    const { entries, mtime } = list('a.b');
    const state = new State([blocked], [{ path: '/l', position: 0, mtime, entries }]);
    const rejected: ListReading = { path: '/l', kind: 'rejected', problems: [], count: 1, kept: false };
    const found = whatIf(state, {
      before: config(),
      after: config(),
      lists: [rejected],
      now: 200,
      dead: new Set<string>(),
    });
    assert.deepEqual([found.flips, found.removed], [[], []]);
  });
});
