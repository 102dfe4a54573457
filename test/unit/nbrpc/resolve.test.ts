/** Which addresses of an answer count. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalAddress, familyOf, isPublicAddress } from '../../../src/nbrpc/address.ts';
import { resolveHost } from '../../../src/nbrpc/resolve.ts';
import { FakeResolver } from '../../fakes/fake-resolver.ts';

const settings = { timeout: 10_000, filter: true };
async function resolve(answer: string[], over: { filter?: boolean; family?: 4 | 6 | null; host?: string } = {}) {
  const resolver = new FakeResolver();
  resolver.answer('a', ...answer);
  const filter = over.filter ?? true;
  return resolveHost(
    resolver,
    over.host ?? 'a',
    over.family ?? null,
    { ...settings, filter },
    new AbortController().signal,
  );
}

describe('an address', () => {
  it('has one text: compressed, in lower case, IPv4 in IPv6 as IPv4', () => {
    assert.equal(canonicalAddress('2606:4700:0:0::AB'), '2606:4700::ab');
    assert.equal(canonicalAddress('::FFFF:1.2.3.4'), '1.2.3.4');
    assert.equal(canonicalAddress('::ffff:102:304'), '1.2.3.4');
    assert.equal(canonicalAddress('1.2.3.4'), '1.2.3.4');
    assert.equal(familyOf('1::3'), 6);
  });

  it('is none with a zone, with leading zeros, or as any other text', () => {
    for (const text of ['fe80::1%eth0', '1.2.3.04', '1.2.3', '', '1.2.3.4 ', 'x', '1.2.3.4/24', '::1; flush ruleset']) {
      assert.equal(canonicalAddress(text), undefined, text);
    }
  });

  it('is public or not by the registries', () => {
    for (const text of [
      '10.1.2.3',
      '127.0.0.1',
      '100.64.1.1',
      '169.254.1.1',
      '0.0.0.0',
      '255.255.255.255',
      '192.0.2.1',
      '198.18.0.1',
      '::1',
      '::',
      'fe80::1',
      'fc00::1',
      '2001:db8::1',
      'ff02::1',
    ]) {
      assert.equal(isPublicAddress(text), false, text);
    }
    for (const text of ['1.1.1.1', '93.184.215.14', '2606:4700::1111']) assert.equal(isPublicAddress(text), true, text);
  });
});

describe('an answer', () => {
  it('gives its public addresses once each, in one order, and tells the others', async () => {
    const answer = ['9.9.9.9', '::ffff:9.9.9.9', '10.0.0.1', '2606:4700::AB', '127.0.0.1', 'fe80::1%2', 'x\u001b[31m'];
    const { addresses, junk, failure } = await resolve(answer);
    assert.deepEqual(addresses, ['2606:4700::ab', '9.9.9.9']);
    assert.deepEqual(junk, ['10.0.0.1', '127.0.0.1', 'fe80::1%2', 'x\\x1b[31m']);
    assert.equal(failure, undefined);
  });

  it('is filtered by the family that the policy names, which is no junk', async () => {
    const { addresses, junk } = await resolve(['9.9.9.9', '2606:4700::1'], { family: 4 });
    assert.deepEqual([addresses, junk], [['9.9.9.9'], []]);
  });

  it('is not filtered in a rehearsal', async () => {
    const { addresses } = await resolve(['0.0.0.1', '1::3'], { filter: false, family: 4 });
    assert.deepEqual(addresses, ['0.0.0.1', '1::3']);
  });

  it('with very many addresses is cut, and that is told', async () => {
    const { addresses, surplus } = await resolve(Array.from({ length: 1000 }, (_, i) => `9.9.${i >> 8}.${i & 255}`));
    assert.deepEqual([addresses.length, surplus], [100, 900]);
  });

  it('without addresses, or an error, is told as a failure that is safe to show', async () => {
    assert.equal((await resolve([])).failure, 'no addresses');
    const resolver = new FakeResolver();
    resolver.fail('a', 'servfail', 'from\u001b 10.0.0.1');
    const { failure } = await resolveHost(resolver, 'a', null, settings, new AbortController().signal);
    assert.equal(failure, 'servfail, from\\x1b 10.0.0.1');
  });

  it('is not asked for where the host is an IPv4 address itself', async () => {
    assert.deepEqual((await resolve([], { host: '9.9.9.9' })).addresses, ['9.9.9.9']);
    assert.deepEqual((await resolve([], { host: '10.0.0.1' })).junk, ['10.0.0.1']);
  });
});
