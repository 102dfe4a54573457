/** Second stage of a probe: TLS over a connected socket, without session reuse, and whose certificate was wrong. */
import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { CertificateFacts } from '../probe-facts.ts';
import { clean } from './http-probe-failure.ts';

/** Sends the TLS hello. `host`: a name without a trailing dot, or an address. The caller must ask `certificateProblem` on `secureConnect`. */
export function startTls(tcp: net.Socket, host: string, context: tls.SecureContext): tls.TLSSocket {
  const socket = tls.connect({
    socket: tcp,
    secureContext: context,
    // RFC 6066 §3: no addresses, no trailing dot.
    servername: net.isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    // Node closes the socket, and forgets the certificate, before anyone could say whose it was; certificateProblem decides.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  // Node turns the whole chain into JavaScript objects here, a fifth of the CPU of a check, for checkServerIdentity alone.
  socket.getPeerCertificate = () => ({}) as tls.DetailedPeerCertificate;
  return socket;
}

export interface CertificateFault {
  /** For people: what is wrong, and with whose certificate. */
  readonly text: string;
  /** Undefined where there was no certificate. */
  readonly facts: CertificateFacts | undefined;
}

/** Undefined when the chain leads to a trusted root and the certificate is the host's; else what is wrong, and with whose certificate. */
export function certificateProblem(socket: tls.TLSSocket, host: string): string | undefined {
  return certificateFault(socket, host)?.text;
}

/** The same with its facts. */
export function certificateFault(socket: tls.TLSSocket, host: string): CertificateFault | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized) {
    const error = `${socket.authorizationError ?? 'not trusted'}`;
    return { text: `${error}${whose(certificate)}`, facts: factsOf(certificate, problemOf(error)) };
  }
  if (certificate === undefined) return { text: 'no certificate', facts: undefined };
  if (belongsTo(certificate, host)) return undefined;
  const names = clean(certificate.subjectAltName ?? 'none', 80);
  return {
    text: `not valid for ${host}${whose(certificate)}, names ${names}`,
    facts: factsOf(certificate, 'other-name'),
  };
}

/** From the names of OpenSSL's verify results, X509_STORE_CTX_get_error(3), as Node writes them (crypto_common.cc). */
function problemOf(error: string): CertificateFacts['problem'] {
  if (error === 'CERT_HAS_EXPIRED') return 'expired';
  if (error === 'CERT_NOT_YET_VALID') return 'not-yet-valid';
  return error === 'DEPTH_ZERO_SELF_SIGNED_CERT' ? 'self-signed' : 'untrusted';
}

function factsOf(
  certificate: X509Certificate | undefined,
  problem: CertificateFacts['problem'],
): CertificateFacts | undefined {
  if (certificate === undefined) return undefined;
  return { problem, subject: nameIn(certificate.subject), issuer: nameIn(certificate.issuer) };
}

function belongsTo(certificate: X509Certificate, host: string): boolean {
  if (net.isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  if (certificate.checkHost(host, { partialWildcards: false }) !== undefined) return true;
  // OpenSSL lets no `*` stand for a label with an underscore (X509_check_host(3)); browsers, curl and Node do.
  return host.includes('_') && tls.checkServerIdentity(host, certificate.toLegacyObject()) === undefined;
}

function whose(certificate: X509Certificate | undefined): string {
  if (certificate === undefined) return '';
  const { subject, issuer, validTo } = certificate;
  return `: certificate of ${nameIn(subject)}, issued by ${nameIn(issuer)}, valid to ${clean(validTo, 30)}`;
}

/** The common name of a distinguished name as Node writes it (a line an attribute), else its first line. */
function nameIn(subject: string | undefined): string {
  const lines = (subject ?? '').split('\n');
  const line = lines.find((each) => each.startsWith('CN=')) ?? lines[0] ?? '';
  return line === '' ? 'nobody' : clean(line, 48);
}
