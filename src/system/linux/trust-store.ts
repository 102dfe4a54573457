/** Whom TLS checks trust: the system's CA bundle (else Node's own roots) and an extra PEM file, in one shared SecureContext. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import tls from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { describeError, errnoOf, NetstewardError } from '../../core/errors.ts';

/** Where distributions keep the bundle that curl and OpenSSL use: Debian, Alpine and Arch; Fedora; openSUSE. */
export const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
] as const;

export interface TrustOptions {
  /** PEM file, added to the others. */
  readonly caFile?: string;
  /** PEM certificates that someone has read already, added to the others. */
  readonly ca?: Buffer | string;
  /** The first that exists is taken; with none, the roots built into Node. Default: the system's. */
  readonly bundles?: readonly string[];
}

// A SecureContext costs 25 ms with 140 roots; CA packages are updated while a daemon runs for months.
const lookAgainAfter = 60_000;

// Finite-field DH lets a server choose a prime that takes seconds of our CPU (RFC 7919 §1); browsers have dropped it.
const ciphers = `${tls.DEFAULT_CIPHERS}:!kDHE`;
const ecdhCurve = 'X25519:P-256:P-384:P-521';

export class TrustStore {
  readonly #options: TrustOptions;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #context: tls.SecureContext;
  #version: string;
  #lookedAt: number;

  /**
   * Throws NetstewardError: `ca-file-unreadable`, `ca-file-invalid`. Files that change later are read again; if they cannot be
   * used, `onError` is told and the last good ones stay in force.
   */
  constructor(options: TrustOptions, clock: Clock, onError: (error: unknown) => void = () => {}) {
    this.#options = options;
    this.#clock = clock;
    this.#onError = onError;
    this.#version = version(options);
    this.#context = load(options);
    this.#lookedAt = clock.monotonic();
  }

  /** Shared by all checks: one for each connection costs 17 times the CPU. */
  context(): tls.SecureContext {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < lookAgainAfter) return this.#context;
    this.#lookedAt = now;
    const current = version(this.#options);
    if (current === this.#version) return this.#context;
    this.#version = current;
    try {
      this.#context = load(this.#options);
    } catch (error) {
      this.#onError(error);
    }
    return this.#context;
  }
}

const filesOf = (options: TrustOptions): string[] => [
  ...(options.bundles ?? systemBundles),
  ...(options.caFile === undefined ? [] : [options.caFile]),
];

/** Changes when one of the files does. */
function version(options: TrustOptions): string {
  return filesOf(options)
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? '-' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`))
    .join('\n');
}

function load(options: TrustOptions): tls.SecureContext {
  const ca = [roots(options.bundles ?? systemBundles)].flat();
  if (options.caFile !== undefined) ca.push(checked(options.caFile, read(options.caFile)));
  if (options.ca !== undefined) ca.push(checked('given', options.ca.toString('latin1')));
  return tls.createSecureContext({ ca, ciphers, ecdhCurve });
}

function roots(bundles: readonly string[]): string | readonly string[] {
  for (const file of bundles) {
    let text: string;
    try {
      text = readFileSync(file, 'latin1');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') continue;
      throw unreadable(file, error);
    }
    // Node takes what is no certificate without a word, and would then trust nobody.
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw invalid(file, 'it holds no certificate');
    return text;
  }
  return tls.rootCertificates;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Every PEM block must be a certificate: Node would pass over the others without a word. */
function checked(file: string, text: string): string {
  const blocks = text.match(/-----BEGIN [^-]+-----[^-]*(?:-----END [^-]+-----)?/g) ?? [];
  if (blocks.length === 0) throw invalid(file, 'it holds no PEM block');
  blocks.forEach((block, index) => {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw invalid(file, `its PEM block ${index + 1} is no certificate: ${describeError(error)}`, error);
    }
  });
  return text;
}

function unreadable(file: string, cause: unknown): NetstewardError {
  return new NetstewardError('ca-file-unreadable', `the CA file ${file} cannot be read: ${describeError(cause)}`, {
    remedy: 'Give a readable file of PEM certificates, or leave the setting out.',
    cause,
  });
}

function invalid(file: string, what: string, cause?: unknown): NetstewardError {
  return new NetstewardError('ca-file-invalid', `the CA file ${file} cannot be used: ${what}`, {
    remedy: 'Give a file that holds nothing but PEM certificates.',
    cause,
  });
}
