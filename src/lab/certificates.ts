/** A certificate authority made for one run of the lab, and the certificates it signs (RFC 5280, ECDSA P-256). */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectId,
  octetString,
  sequence,
  setOf,
  time,
  utf8,
} from './der.ts';

const oid = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const day = 86_400_000;

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
  /** Of the issuer's key: its subjectKeyIdentifier. */
  readonly keyId: Buffer;
}

interface Request {
  readonly subject: string;
  /** DNS names; none for the authority itself. */
  readonly names: readonly string[];
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly authority: boolean;
}

export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

const newKeyPair = (): { privateKey: KeyObject; publicKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

// RFC 5280 §4.2.1.2 lets any way to make unique numbers from the key do.
const keyIdOf = (publicKey: KeyObject): Buffer =>
  createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();

function issue(request: Request, issuer: Issuer): string {
  const algorithm = sequence(objectId(oid.ecdsaWithSha256));
  const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
    sequence(objectId(id), ...(critical ? [boolean(true)] : []), octetString(value));
  const extensions = [
    extension(oid.basicConstraints, true, request.authority ? sequence(boolean(true)) : sequence()),
    // keyCertSign and cRLSign (bits 5 and 6), or digitalSignature (bit 0).
    extension(
      oid.keyUsage,
      true,
      request.authority ? bitString(Buffer.from([0x06]), 1) : bitString(Buffer.from([0x80]), 7),
    ),
    extension(oid.subjectKeyId, false, octetString(keyIdOf(request.publicKey))),
    extension(oid.authorityKeyId, false, sequence(implicit(0, issuer.keyId))),
  ];
  if (!request.authority) {
    const names = request.names.map((name) => implicit(2, Buffer.from(name, 'ascii')));
    extensions.push(
      extension(oid.subjectAltName, false, sequence(...names)),
      extension(oid.extendedKeyUsage, false, sequence(objectId(oid.serverAuth))),
    );
  }
  const signed = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(request.notBefore), time(request.notAfter)),
    distinguishedName(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions)),
  );
  const certificate = sequence(signed, algorithm, bitString(sign('sha256', signed, issuer.key)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

// RFC 5280 appendix A bounds a common name at 64 characters; the names that count are in subjectAltName.
const distinguishedName = (commonName: string): Buffer =>
  sequence(setOf(sequence(objectId(oid.commonName), utf8(commonName.slice(0, 64)))));

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Signs certificates for as long as the object lives; its key is never written down. */
export class CertificateAuthority {
  readonly #issuer: Issuer;
  /** One key for all servers: making one for each name would cost the most of all. */
  readonly #server = newKeyPair();
  readonly #now: number;
  /** The authority's own certificate, PEM. */
  readonly certificate: string;

  /** `now`: milliseconds since the epoch. */
  constructor(now: number) {
    const { privateKey, publicKey } = newKeyPair();
    this.#now = now;
    this.#issuer = { name: 'netsteward lab CA', key: privateKey, keyId: keyIdOf(publicKey) };
    this.certificate = issue(
      {
        subject: this.#issuer.name,
        names: [],
        publicKey,
        notBefore: new Date(now - day),
        notAfter: new Date(now + 365 * day),
        authority: true,
      },
      this.#issuer,
    );
  }

  issue(name: string, validity: 'valid' | 'expired' = 'valid'): KeyAndCertificate {
    const cert = issue(
      {
        subject: name,
        names: [name],
        publicKey: this.#server.publicKey,
        notBefore: new Date(this.#now - 30 * day),
        notAfter: new Date(this.#now + (validity === 'valid' ? 60 : -1) * day),
        authority: false,
      },
      this.#issuer,
    );
    return { key: pkcs8(this.#server.privateKey), cert };
  }
}

/** A certificate that nobody vouches for. */
export function selfSigned(name: string, now: number): KeyAndCertificate {
  const { privateKey, publicKey } = newKeyPair();
  const cert = issue(
    {
      subject: name,
      names: [name],
      publicKey,
      notBefore: new Date(now - day),
      notAfter: new Date(now + 365 * day),
      authority: false,
    },
    { name, key: privateKey, keyId: keyIdOf(publicKey) },
  );
  return { key: pkcs8(privateKey), cert };
}
