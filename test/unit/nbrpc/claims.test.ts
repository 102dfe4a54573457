/** Whose word counts for an address that several hosts share. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Claim, claimsOf, type Settled, settle, settledAddresses, wayAround } from '../../../src/nbrpc/claims.ts';
import { entry } from './build-state.ts';

const around = (exit?: string) => ({ kind: 'around', exit }) as const;
const ways: Readonly<Record<string, Claim['way']>> = {
  tunnel: around(),
  fast: around('fast'),
  slow: around('slow'),
  dropped: { kind: 'dropped' },
  direct: { kind: 'direct' },
  nowhere: { kind: 'nowhere' },
};

/** `b: tunnel`, `a: direct 5` (with a priority). */
function claim(text: string, address = '192.0.2.1'): Claim {
  const [, host = '', word = '', priority = '0'] = /^(\S+): (\w+) ?(-?\d+)?$/.exec(text) ?? [];
  const way = ways[word];
  assert.ok(way, text);
  const verdict = word === 'direct' ? 'ok' : 'na';
  return { host, address, verdict, way, priority: Number(priority) };
}

const told = ({ claim: { host }, by, against }: Settled): string => `${host} ${by} ${against?.host ?? '-'}`;
const settled = (...texts: string[]): string => told(settle(texts.map((text) => claim(text))));

describe('an address that several hosts share', () => {
  it('goes the way of the higher priority, whatever is needed', () => {
    assert.equal(settled('a: tunnel', 'b: direct 1'), 'b priority a');
    assert.equal(settled('a: direct -1', 'b: tunnel -2'), 'a priority b');
  });

  it('goes around for the host that needs it, as long as no priority says otherwise', () => {
    assert.equal(settled('a: direct', 'b: tunnel'), 'b need a');
    assert.equal(settled('a: direct 7', 'b: tunnel 7'), 'b need a');
  });

  it('goes around rather than to be dropped, and is dropped rather than to go direct', () => {
    assert.equal(settled('a: dropped', 'b: fast'), 'b need a');
    assert.equal(settled('a: direct', 'b: dropped'), 'b need a');
    assert.equal(settled('a: nowhere', 'b: dropped'), 'b need a');
  });

  it('goes through the exit of the first host by name where two hosts take different ones', () => {
    assert.equal(settled('b: fast', 'a: slow'), 'a name b');
  });

  it('has no conflict where all want the same route', () => {
    assert.equal(settled('b: fast', 'a: fast 3'), 'a agreement -');
    assert.equal(settled('b: nowhere', 'a: direct'), 'a agreement -');
    assert.equal(settled('b: tunnel'), 'b alone -');
  });

  it('goes the same way in whatever order its hosts are known', () => {
    const word = fc.constantFrom(...Object.keys(ways));
    const claims = fc.uniqueArray(
      fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), word, fc.integer({ min: -1, max: 1 })),
      {
        selector: ([host]) => host,
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(claims, fc.infiniteStream(fc.nat()), (all, order) => {
        const texts = all.map(([host, way, priority]) => `${host}: ${way} ${priority}`);
        const shuffled = texts
          .map((text) => ({ text, rank: Number(order.next().value) }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ text }) => text);
        assert.equal(settled(...shuffled), settled(...texts));
      }),
    );
  });

  it('is settled for each address by itself, and never for those that enter no set', () => {
    const all = [
      claim('a: direct'),
      claim('b: tunnel'),
      claim('a: direct', '192.0.2.2'),
      claim('b: tunnel', '192.0.2.3'),
    ];
    const found = settledAddresses([all], new Set(['192.0.2.3']));
    assert.deepEqual(
      [...found].map(([address, each]) => `${address} ${told(each)}`),
      ['192.0.2.1 b need a', '192.0.2.2 a alone -'],
    );
  });
});

describe('what a host wants of its addresses', () => {
  const lines = (verdict: 'ok' | 'na') => [{ verdict, host: 'a', address: '192.0.2.1', type: 'https' }] as const;
  const choice = (exits: readonly string[] | undefined, whenNone: 'direct' | 'drop' = 'direct') => {
    return { exits, whenNone: () => whenNone };
  };

  it('is its exit where it is blocked, and the direct route where it works', () => {
    const host = entry('a', { state: 'na', exit: 'slow' }, '192.0.2.1=na');
    const of = (verdict: 'ok' | 'na') => claimsOf(host, lines(verdict), choice(['fast', 'slow']), 3);
    assert.deepEqual(of('na'), [{ host: 'a', address: '192.0.2.1', verdict: 'na', way: around('slow'), priority: 3 }]);
    assert.deepEqual(of('ok')[0]?.way, { kind: 'direct' });
  });

  it('is the first exit before it has chosen, and after its exit has left the configuration', () => {
    assert.deepEqual(wayAround('a', undefined, choice(['fast', 'slow'])), around('fast'));
    assert.deepEqual(wayAround('a', 'gone', choice(['fast', 'slow'])), around('fast'));
    assert.deepEqual(wayAround('a', undefined, choice(undefined)), around());
  });

  it('is what when_no_exit says where no exit works for it', () => {
    assert.deepEqual(wayAround('a', '', choice(['fast'])), { kind: 'nowhere' });
    assert.deepEqual(wayAround('a', '', choice(['fast'], 'drop')), { kind: 'dropped' });
  });
});
