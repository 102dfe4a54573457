/** Which site a host is of, and whether a redirect leaves it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leadsAway, siteOf } from '../../../src/nbrpc/site.ts';

test('a site is what someone registered, also where a registry sells names one level deeper', () => {
  for (const [host, site] of Object.entries({
    'www.Example.com.': 'example.com',
    'example.com': 'example.com',
    'a.b.bbc.co.uk': 'bbc.co.uk',
    'shop.loja.com.br': 'loja.com.br',
    't.co': 't.co',
    'user.github.io': 'user.github.io',
    localhost: 'localhost',
    '192.0.2.1': '192.0.2.1',
    '[2001:db8::1]': '2001:db8::1',
    '': '',
  })) {
    assert.equal(siteOf(host), site, host);
  }
});

test('a redirect leaves the site when its host is of another one', () => {
  const leaves = (location: string): boolean => leadsAway('www.example.com', location);
  for (const location of ['http://blocked.test/', '//law.test/x', 'https://10.0.0.1/', 'http://example.com.evil.test/'])
    assert.ok(leaves(location), location);
  for (const location of [
    '/login',
    'x',
    '',
    'https://example.com/',
    'http://m.example.com:8080/',
    '?x',
    'mailto:a@b.test',
    'http://[',
    'javascript:0',
  ])
    assert.ok(!leaves(location), location);
  assert.ok(leadsAway('user.github.io', 'https://other.github.io/'));
  assert.ok(leadsAway('2001:db8::1', 'http://example.com/'));
  assert.ok(!leadsAway('2001:db8::1', 'http://[2001:db8::1]:81/'));
});

test('no location and no host make it throw', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl()),
      (host, location) => {
        leadsAway(host, location);
        siteOf(host);
      },
    ),
  );
});
