/** Where to serve, as it is typed (pure). */
import { isIPv6 } from 'node:net';
import { NetstewardError } from '../core/errors.ts';

export interface BindingText {
  /** Numeric or a name; empty: all addresses. */
  readonly host: string;
  readonly port: number;
}

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
