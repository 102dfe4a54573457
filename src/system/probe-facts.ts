/** What a failed probe saw beside its verdict, so that people can be told how a service is blocked. */

export interface CertificateFacts {
  /** `other-name`: good, but of somebody else. `untrusted`: nobody known vouches for it. */
  readonly problem: 'expired' | 'not-yet-valid' | 'self-signed' | 'other-name' | 'untrusted';
  /** Common names, else the first line of the distinguished name; `nobody` where there is none. No control characters. */
  readonly subject: string;
  readonly issuer: string;
}

export interface ProbeFacts {
  /** The system call's error, as errno(3) names it: ICMP errors of connect(2) differ by it alone. */
  readonly errno?: string;
  /** Bytes that came from the far side, TLS and headers included. */
  readonly wire?: number;
  /** Bytes of the answer's body that came. */
  readonly body?: number;
  /** The same from the request on; TLS tickets of servers (RFC 8446 §4.6.1) count. */
  readonly reply?: number;
  /** Of a time-out: milliseconds that the exchange took, and bytes on the wire in the second half of them. */
  readonly took?: number;
  readonly late?: number;
  /** Of an answer whose headers came. */
  readonly location?: string;
  readonly certificate?: CertificateFacts;
  /** The far side refused in TLS (RFC 8446 §6): it read the ClientHello. */
  readonly alert?: true;
}
