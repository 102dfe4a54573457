/** CA files: what is taken, what is refused, and when they are read again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CertificateAuthority } from '../../../../src/lab/certificates.ts';
import { TrustStore } from '../../../../src/system/linux/trust-store.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-trust-'));
after(() => rmSync(folder, { recursive: true }));

const { certificate } = new CertificateAuthority(Date.now());
let count = 0;
const file = (content: string): string => {
  const path = join(folder, `${count++}.pem`);
  writeFileSync(path, content);
  return path;
};
const open = (caFile: string, clock = new FakeClock()): TrustStore => new TrustStore({ bundles: [], caFile }, clock);

describe('a CA file', () => {
  it('may hold several certificates and comments', () => {
    assert.ok(open(file(`# mine\n${certificate}\n${certificate}`)).context());
  });

  it('that is missing, empty, no PEM, cut short or a key is refused by name', () => {
    assert.throws(() => open(join(folder, 'none')), {
      code: 'ca-file-unreadable',
      message: /none cannot be read: ENOENT/,
    });
    assert.throws(() => open(folder), { code: 'ca-file-unreadable' });
    const key = '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n';
    for (const content of [
      '',
      'hello',
      certificate.slice(0, 300),
      certificate + key,
      certificate.replaceAll('M', '!'),
    ]) {
      assert.throws(() => open(file(content)), { code: 'ca-file-invalid' }, content);
    }
  });

  it('that was read by someone else already is held to the same', () => {
    const given = (ca: string): TrustStore => new TrustStore({ bundles: [], ca: Buffer.from(ca) }, new FakeClock());
    assert.ok(given(certificate).context());
    assert.throws(() => given('hello'), { code: 'ca-file-invalid' });
  });
});

describe('the system’s bundle', () => {
  it('is the first that exists, and one without certificates is refused', () => {
    const bundles = [join(folder, 'none'), file('no certificate')];
    assert.throws(() => new TrustStore({ bundles }, new FakeClock()), { code: 'ca-file-invalid' });
  });

  it('is read again when it has changed, at most once a minute; a broken one does not replace the last good one', async () => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const bundle = file(certificate);
    const trust = new TrustStore({ bundles: [bundle] }, clock, (error) => errors.push(error));
    const first = trust.context();
    await clock.advance(61_000);
    assert.equal(trust.context(), first);

    writeFileSync(bundle, certificate.repeat(2));
    await clock.advance(30_000);
    assert.equal(trust.context(), first);
    await clock.advance(31_000);
    const second = trust.context();
    assert.notEqual(second, first);

    writeFileSync(bundle, 'broken');
    await clock.advance(61_000);
    assert.equal(trust.context(), second);
    assert.equal(errors.length, 1);
  });
});
