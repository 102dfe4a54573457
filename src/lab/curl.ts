/** One fetch with curl: its command line, and what its outcome means (pure). */
import { canonicalName } from './address.ts';
import type { ExecResult } from './inside.ts';
import { labError } from './lab-error.ts';
import type { HostName } from './vocabulary.ts';

export interface CurlRequest {
  /** `lan` by default. */
  readonly host?: HostName;
  /** `https` by default. */
  readonly scheme?: 'http' | 'https';
  /** `/` by default. */
  readonly path?: string;
  /** Either by default, as the resolver and curl see fit. */
  readonly family?: 4 | 6;
  /** Connect to this one instead of asking DNS. */
  readonly address?: string;
  /** Milliseconds for everything; 5000 by default. */
  readonly timeout?: number;
  /** The code that counts as success; 200 by default. */
  readonly expect?: number;
}

export type CurlReason =
  | 'timeout'
  | 'refused'
  | 'unreachable'
  | 'reset'
  | 'certificate'
  | 'resolve'
  | 'protocol'
  /** Another response code than expected. */
  | 'status'
  | 'other';

export type CurlWay = 'direct' | 'tunnel' | 'second tunnel';
/** By the host that `world` was asked through. */
const ways: Readonly<Record<string, CurlWay>> = { isp: 'direct', exit: 'tunnel', exit2: 'second tunnel' };

export interface CurlResult {
  /** The whole answer came, with the expected code, and was the service's own as far as TLS can tell. */
  readonly ok: boolean;
  readonly status: number | undefined;
  /** Milliseconds. */
  readonly ms: number;
  /** By which way the service says it was asked. Undefined when it was not the service that answered. */
  readonly via: CurlWay | undefined;
  readonly address: string | undefined;
  /** Bytes of the body that came. */
  readonly bytes: number;
  readonly reason: CurlReason | undefined;
  /** curl's own words. */
  readonly error: string | undefined;
}

const format = [
  '%{http_code}',
  '%{time_total}',
  '%{remote_ip}',
  '%{size_download}',
  '%{exitcode}',
  '%header{x-lab-via}',
  '%{errormsg}',
];

/** Throws LabError `lab-target` for what is no name. */
export function curlArguments(name: string, request: CurlRequest, caFile: string): [string, ...string[]] {
  const { scheme = 'https', path = '/', family, address, timeout = 5000 } = request;
  const host = canonicalName(name);
  if (host === undefined) throw labError('lab-target', `${JSON.stringify(name)} is not a host name`);
  const pinned = address?.includes(':') === true ? `[${address}]` : address;
  return [
    'curl',
    '--disable',
    '--silent',
    // Only its account of a failed connect tells why.
    '--verbose',
    '--globoff',
    '--cacert',
    caFile,
    '--noproxy',
    '*',
    '--output',
    '/dev/null',
    '--max-time',
    `${timeout / 1000}`,
    ...(family === undefined ? [] : [`-${family}`]),
    ...(pinned === undefined ? [] : ['--resolve', `${host}:${scheme === 'https' ? 443 : 80}:${pinned}`]),
    '--write-out',
    format.join('\\n'),
    `${scheme}://${host}${path}`,
  ];
}

export function curlResult({ stdout, stderr, timedOut }: ExecResult, { expect = 200 }: CurlRequest): CurlResult {
  const [code = '', seconds = '', address = '', bytes = '', exit = '', via = '', ...message] = stdout.split('\n');
  const exitCode = exit === '' ? Number.NaN : Number(exit);
  const failed = [...stderr.matchAll(/^\* connect to .* failed: (.*)$/gm)].at(-1)?.[1];
  const error =
    exitCode === 0 ? '' : [failed, message.join(' ')].filter((text) => text !== undefined && text !== '').join('; ');
  const status = Number(code) || undefined;
  const reason = timedOut ? 'timeout' : reasonOf(exitCode, error, status === expect);
  return {
    ok: reason === undefined,
    status,
    ms: Math.round(Number(seconds) * 1000) || 0,
    via: ways[via],
    address: address === '' ? undefined : address,
    bytes: Number(bytes) || 0,
    reason,
    error: error === '' ? undefined : error,
  };
}

/** Exit codes as in curl(1). */
function reasonOf(exitCode: number, message: string, expected: boolean): CurlReason | undefined {
  switch (exitCode) {
    case 0:
      return expected ? undefined : 'status';
    case 1:
    case 8:
      return 'protocol';
    case 6:
      return 'resolve';
    case 7:
      // ICMP administratively prohibited is EHOSTUNREACH for IPv4 and EACCES for IPv6 (net/ipv4/icmp.c, net/ipv6/icmp.c).
      return /no route|unreachable|permission denied/i.test(message) ? 'unreachable' : 'refused';
    case 18:
    case 28:
      return 'timeout';
    case 35:
    case 52:
    case 55:
    case 56:
      return /reset|SSL_ERROR_SYSCALL|empty reply/i.test(message) ? 'reset' : 'protocol';
    case 60:
      return 'certificate';
    default:
      return 'other';
  }
}
