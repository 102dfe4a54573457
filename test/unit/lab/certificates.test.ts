/** The lab's certificates, read back by OpenSSL (node:crypto), which knows nothing of how they were made. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { CertificateAuthority, selfSigned } from '../../../src/lab/certificates.ts';

const now = Date.UTC(2026, 5, 1);

test('a certificate is for its name, of the authority, signed by it and valid today', () => {
  const authority = new CertificateAuthority(now);
  const root = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate(authority.issue('video.example').cert);
  assert.equal(root.ca, true);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.checkHost('video.example'), 'video.example');
  assert.equal(leaf.checkHost('news.example'), undefined);
  assert.ok(leaf.checkIssued(root));
  assert.ok(leaf.verify(root.publicKey));
  assert.ok(Date.parse(leaf.validFrom) < now && now < Date.parse(leaf.validTo));
});

test('an expired certificate is signed all the same', () => {
  const authority = new CertificateAuthority(now);
  const leaf = new X509Certificate(authority.issue('video.example', 'expired').cert);
  assert.ok(Date.parse(leaf.validTo) < now);
  assert.ok(leaf.verify(new X509Certificate(authority.certificate).publicKey));
});

test('two authorities do not vouch for each other, nor for what signed itself', () => {
  const mine = new X509Certificate(new CertificateAuthority(now).certificate);
  const theirs = new X509Certificate(new CertificateAuthority(now).issue('video.example').cert);
  const own = new X509Certificate(selfSigned('video.example', now).cert);
  assert.equal(theirs.verify(mine.publicKey), false);
  assert.equal(own.verify(mine.publicKey), false);
  assert.ok(own.verify(own.publicKey));
});

test('the longest of names fits, and dates beyond 2049 are written as RFC 5280 wants them', () => {
  const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example`;
  const leaf = new X509Certificate(new CertificateAuthority(Date.UTC(2051, 0, 1)).issue(name).cert);
  assert.equal(leaf.checkHost(name), name);
  assert.match(leaf.validTo, /2051/);
});
