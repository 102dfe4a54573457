/** Names of our own chains: readable, as long as the kernel takes them, never the same for two, and known again after a crash. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameComment, isOwnChain, unitChain, unitComment, unitsChain } from '../../../src/cgroup-nft/chain-names.ts';
import { identifierProblem, nftScript } from '../../../src/system/nft-script.ts';

const chain = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9/_.-]{0,254}$/);
const unit = fc.stringMatching(/^[A-Za-z0-9:_.\\@*?[\]!^/-]{1,254}\.service$/);

test('a name says which chain and unit it is for', () => {
  assert.equal(unitsChain('vpn.whitelist'), 'netsteward-vpn.whitelist');
  assert.match(unitChain('vpn', 'postfix.service'), /^netsteward-vpn-postfix\.service-[0-9a-f]{8}$/);
  assert.match(unitChain('vpn', 'foo@*.service'), /^netsteward-vpn-foo__\.service-[0-9a-f]{8}$/);
});

test('whatever chain and unit there are, nft and the kernel take the names, and know them as ours', () => {
  const table = { family: 'inet', name: 'filter' } as const;
  fc.assert(
    fc.property(chain, unit, (of, name) => {
      for (const [own, comment] of [
        [unitsChain(of), frameComment(of)],
        [unitChain(of, name), unitComment(name, of)],
      ] as const) {
        assert.equal(identifierProblem(own), undefined, own);
        // NFT_CHAIN_MAXNAMELEN counts the final NUL.
        assert.ok(own.length < 128, own);
        const { text } = nftScript({ op: 'add-plain-chain', table, chain: own, comment });
        const written = /comment "([^"]*)"; \}\n$/.exec(text)?.[1];
        assert.ok(isOwnChain(own, written), text);
      }
    }),
    { numRuns: 1000 },
  );
});

test('no two chains or units share a name, also where it is cut or has signs that no chain may have', () => {
  const long = 'x'.repeat(200);
  const pairs: readonly (readonly [string, string])[] = [
    ['vpn', 'a.service'],
    ['vpn', 'a@.service'],
    ['vpn', 'a:.service'],
    ['vpn', 'a_.service'],
    ['vpn-a', '.service'],
    [`${long}1`, 'a.service'],
    [`${long}2`, 'a.service'],
    ['vpn', `${long}1.service`],
    ['vpn', `${long}2.service`],
  ];
  const names = [...pairs.map(([of, name]) => unitChain(of, name)), ...new Set(pairs.map(([of]) => unitsChain(of)))];
  assert.equal(new Set(names).size, names.length);
  fc.assert(
    fc.property(chain, unit, chain, unit, (of, name, otherChain, other) => {
      fc.pre(of !== otherChain || name !== other);
      assert.notEqual(unitChain(of, name), unitChain(otherChain, other));
    }),
  );
});

test('a chain of the administrator’s is not taken for ours, by its name or its comment alone', () => {
  assert.equal(isOwnChain('netsteward-mine', undefined), false);
  assert.equal(isOwnChain('netsteward-mine', 'my own'), false);
  assert.equal(isOwnChain('output', 'rules of mine'), false);
});
