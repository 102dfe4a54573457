/** Questions to DNS servers: bytes to one server and back, and names through libc; what a check of a resolver needs. */

export type DnsProtocol = 'udp' | 'tcp' | 'tls' | 'https';

/** One DNS server, and how it is spoken with (RFC 1035, 7766, 7858, 8484). */
export interface DnsServer {
  readonly protocol: DnsProtocol;
  /** Where to connect. Undefined (`tls` and `https` alone): `name` is looked up with getaddrinfo(3). */
  readonly address: string | undefined;
  readonly port: number;
  /** `tls` and `https`: what the certificate must be for; undefined: the address. */
  readonly name: string | undefined;
  /** `https`: begins with a slash. */
  readonly path: string;
}

export interface DnsQuestion {
  /** A whole message. Its id is chosen by whoever made it. */
  readonly bytes: Uint8Array;
  /** Why these bytes are no answer to it, for people; undefined when they are one. */
  refuses(answer: Uint8Array): string | undefined;
  /** Milliseconds for all of it, connecting and asking again included, but not for a time in line. */
  readonly timeout: number;
  /** Called when its time begins, if it had to wait in line for that (`tls`, `https`: so many handshakes at a time). */
  begun?(): void;
}

/** `unreachable`: nothing listens, or no route; `local`: this machine could not ask (no descriptor, no memory). */
export type DnsFailureKind = 'timeout' | 'unreachable' | 'malformed' | 'tls' | 'http' | 'local';

export type DnsOutcome =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** `detail`: for people, without control characters. */
  | { readonly ok: false; readonly kind: DnsFailureKind; readonly detail: string };

export interface DnsTransport {
  /** Resolves with the first message that the question does not refuse. Never rejects but for an aborted signal. */
  exchange(server: DnsServer, question: DnsQuestion, signal: AbortSignal): Promise<DnsOutcome>;
}

/** `code`: Node's (`ENOTFOUND`, `EAI_AGAIN`, `ETIMEDOUT` where we stopped waiting). `empty`: the name is there, without an address. */
export type LookupOutcome =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly code: string; readonly empty: boolean };

export interface AddressLookup {
  /** Every address of one family, as getaddrinfo(3) gives them. Never rejects but for an aborted signal. */
  lookup(name: string, family: 4 | 6, timeout: number, signal: AbortSignal): Promise<LookupOutcome>;
}
