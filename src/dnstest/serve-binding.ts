/** Where to serve, as it is typed (pure). */
import { isIPv6 } from 'node:net';
import { NetstewardError } from '../core/errors.ts';

export interface BindingText {
  /** Numeric or a name; empty: all addresses. */
  readonly host: string;
  readonly port: number;
}

/** Whether it is all addresses of the machine, numeric. */
export const isWildcard = (address: string): boolean => /^(?:::|0\.0\.0\.0|::ffff:0\.0\.0\.0)$/i.test(address);

/** What is told at the start of one who serves at all addresses. Node cannot set IP_PKTINFO (ip(7)), which would mend it. */
export const wildcardText =
  'serving at all addresses: over UDP, answers leave from the address that the route has, and a resolver that asked another one drops them; name each address instead';

const usualPort = 53;

/** `HOST`, `HOST:PORT`, `:PORT`, `[IPv6]:PORT`, an IPv6 address alone. Throws NetstewardError `usage`. */
export function bindingOf(text: string): BindingText {
  if (isIPv6(text)) return { host: text, port: usualPort };
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]*))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? usualPort : Number(match[3]);
  const bracketed = match?.[1];
  if (match === null || port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) {
    throw new NetstewardError('usage', `--bind ${text}: must be HOST, HOST:PORT, :PORT or [IPv6]:PORT`, {
      remedy: 'For example: --bind 192.0.2.1, --bind :5353, --bind "[2001:db8::1]:53".',
    });
  }
  return { host: bracketed ?? match[2] ?? '', port };
}
