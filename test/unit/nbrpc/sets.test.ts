/** From the policy to set contents, and to the flips that people read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { flipsOf } from '../../../src/nbrpc/flips.ts';
import { sameContents, wantedSets } from '../../../src/nbrpc/sets.ts';
import type { HostEntry } from '../../../src/nbrpc/state.ts';
import { entry, policy, state } from './build-state.ts';

const all = { blocked4: 'b4', blocked6: 'b6', direct4: 'd4', direct6: 'd6' };
const fallback = policy('af-all');
const contents = (hosts: HostEntry[], names: Parameters<typeof wantedSets>[2] = all, never: string[] = []) =>
  Object.fromEntries(
    [...wantedSets(state(...hosts), fallback, names, new Set(never)).contents].map(([name, set]) => [
      name,
      [...set].join(' '),
    ]),
  );

describe('set contents', () => {
  it('are the na and the ok addresses, by family', () => {
    const hosts = [
      entry('a', { state: 'na' }, '1.1.1.1=na 1::1=ok'),
      entry('b', { state: 'failing' }, '1.1.1.2=na 1::2=ok'),
    ];
    assert.deepEqual(contents(hosts), { b4: '1.1.1.1', b6: '1::1', d4: '1.1.1.2', d6: '1::2' });
    assert.deepEqual(contents(hosts, { blocked4: 'blocked4', blocked6: 'blocked6' }), {
      blocked4: '1.1.1.1',
      blocked6: '1::1',
    });
    assert.deepEqual(contents(hosts, { direct6: 'x' }), { x: '1::2' });
  });

  it('name every set, also when there is nothing for it', () => {
    assert.deepEqual(contents([]), { b4: '', b6: '', d4: '', d6: '' });
  });

  it('never have the addresses of the resolvers', () => {
    assert.deepEqual(contents([entry('a', { state: 'na' }, '1.1.1.1=na 1.1.1.2=na')], { blocked4: 'b' }, ['1.1.1.1']), {
      b: '1.1.1.2',
    });
  });

  it('leave out addresses that pick has no verdict for', () => {
    assert.deepEqual(contents([entry('a', { state: 'na', policy: 'pick' }, '1.1.1.1=? 1.1.1.2=na 1.1.1.3=ok')]), {
      b4: '1.1.1.2',
      b6: '',
      d4: '1.1.1.3',
      d6: '',
    });
  });

  it('follow the host that needs the tunnel where several want an address otherwise, and tell that', () => {
    const hosts = [
      entry('c', { state: 'na' }, '1.1.1.1=na'),
      entry('b', { state: 'ok' }, '1.1.1.1=ok 1.1.1.2=ok'),
      entry('d', { state: 'na' }, '1.1.1.1=na 1.1.1.2=na'),
    ];
    assert.equal(contents(hosts).b4, '1.1.1.1 1.1.1.2');
    const ways = [{ kind: 'around', exit: undefined }, { kind: 'direct' }];
    assert.deepEqual(wantedSets(state(...hosts), fallback, all, new Set()).conflicts, [
      { address: '1.1.1.1', hosts: ['c', 'b'], ways, by: 'need' },
      { address: '1.1.1.2', hosts: ['d', 'b'], ways, by: 'need' },
    ]);
    const priority = (host: string): number => (host === 'b' ? 1 : 0);
    const wanted = wantedSets(state(...hosts), fallback, all, new Set(), undefined, priority);
    assert.deepEqual([...(wanted.contents.get('b4') ?? [])], []);
    assert.deepEqual(
      wanted.conflicts.map(({ hosts: [first, other], by }) => `${first} ${other} ${by}`),
      ['b c priority', 'b d priority'],
    );
  });

  it('are the same in whatever order hosts are known', () => {
    const address = fc.constantFrom('1.1.1.1', '1.1.1.2', '1.1.1.3');
    const host = fc.tuple(fc.constantFrom('na' as const, 'ok' as const), fc.uniqueArray(address, { minLength: 1 }));
    fc.assert(
      fc.property(fc.array(host, { maxLength: 6 }), fc.nat(), fc.nat({ max: 5 }), (shapes, turn, first) => {
        const hosts = shapes.map(([verdict, own], index) => {
          return entry(`h${index}`, { state: verdict }, own.map((each) => `${each}=${verdict}`).join(' '));
        });
        const cut = hosts.length === 0 ? 0 : turn % hosts.length;
        const turned = [...hosts.slice(cut), ...hosts.slice(0, cut)].reverse();
        const wanted = (hostsNow: HostEntry[]) => {
          const priority = (name: string): number => (name === `h${first}` ? 1 : 0);
          return wantedSets(state(...hostsNow), fallback, all, new Set(), undefined, priority);
        };
        assert.deepEqual(wanted(turned), wanted(hosts));
      }),
    );
  });

  it('of a host without a state follow its addresses, and are direct where nothing is known', () => {
    assert.equal(contents([entry('a', { state: null }, '1.1.1.1=na')]).b4, '1.1.1.1');
    assert.equal(contents([entry('a', { state: null }, '1.1.1.1=skipped')]).d4, '1.1.1.1');
  });

  it('are the same when the same sets have the same members', () => {
    const of = (text: string) => new Map([['s', new Set(text.split(' '))]]);
    assert.ok(sameContents(of('a b'), of('b a')));
    assert.ok(!sameContents(of('a b'), of('a c')));
    assert.ok(!sameContents(of('a'), of('a b')));
    assert.ok(!sameContents(of('a'), new Map([['t', new Set(['a'])]])));
    assert.ok(!sameContents(of('a'), new Map()));
  });
});

describe('a flip', () => {
  const flips = (before: HostEntry | undefined, after: HostEntry | undefined) =>
    flipsOf({ hosts: [{ name: 'a', before, after }], lists: [] }, fallback).map(
      ({ from, to, addresses, reason, since }) => `${from} > ${to}: ${addresses.join(' ')} (${reason}) ${since}`,
    );
  const na = { state: 'na', reason: 'tls reset at 1.1.1.1', failingSince: 5 } as const;

  it('is told when a host goes to the tunnel and when it comes back', () => {
    const direct = entry('a', { state: 'failing' }, '1.1.1.1=na 1.1.1.2=ok');
    const tunnel = entry('a', na, '1.1.1.1=na 1.1.1.2=ok');
    assert.deepEqual(flips(direct, tunnel), ['direct > tunnel: 1.1.1.1 1.1.1.2 (tls reset at 1.1.1.1) 5']);
    assert.deepEqual(flips(tunnel, entry('a', { state: 'ok' }, '1.1.1.1=ok 1.1.1.2=ok')), [
      'tunnel > direct: 1.1.1.1 1.1.1.2 (works again) 5',
    ]);
  });

  it('is told from unknown for a first verdict, and not at all when that is ok', () => {
    assert.deepEqual(flips(entry('a', {}, ''), entry('a', na, '1.1.1.1=na')), [
      'unknown > tunnel: 1.1.1.1 (tls reset at 1.1.1.1) 5',
    ]);
    assert.deepEqual(flips(undefined, entry('a', { state: 'ok' }, '1.1.1.1=ok')), []);
  });

  it('is none when an address joins a host on the tunnel, or is forgotten', () => {
    assert.deepEqual(flips(entry('a', na, '1.1.1.1=na'), entry('a', na, '1.1.1.1=na 1.1.1.2=na')), []);
    assert.deepEqual(flips(entry('a', na, '1.1.1.1=na 1.1.1.2=na'), entry('a', na, '1.1.1.1=na')), []);
  });

  it('is of single addresses with pick', () => {
    const before = entry('a', { policy: 'pick', state: 'na' }, '1.1.1.1=na 1.1.1.2=ok');
    const after = entry('a', { policy: 'pick', state: 'na' }, '1.1.1.1=ok 1.1.1.2=na');
    assert.deepEqual(flips(before, after), [
      'direct > tunnel: 1.1.1.2 (does not work directly) 0',
      'tunnel > direct: 1.1.1.1 (works again) 0',
    ]);
  });

  it('is told when a host on the tunnel leaves the list', () => {
    assert.deepEqual(flips(entry('a', na, '1.1.1.1=na'), undefined), [
      'tunnel > direct: 1.1.1.1 (no longer in a check list) 5',
    ]);
  });
});
