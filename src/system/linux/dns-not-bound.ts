/** Why nothing could listen for DNS at an address, and what to do about it. */
import { isIPv6 } from 'node:net';
import { describeError, errnoOf, NetstewardError } from '../../core/errors.ts';
import type { DnsBinding } from '../dns-listen-ports.ts';

export function notBound(binding: DnsBinding, protocol: 'UDP' | 'TCP', error: Error): NetstewardError {
  const where = bindingText(binding);
  return new NetstewardError('dns-not-bound', `cannot listen on ${where} (${protocol}): ${causeOf(error)}`, {
    remedy: remedyOf(binding, protocol, error),
    cause: error,
  });
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function bindingText({ address, port }: DnsBinding): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function causeOf(error: Error): string {
  const code = errnoOf(error);
  if (code === 'EADDRINUSE') return 'another program has that port';
  if (code === 'EACCES') return 'no permission for that port';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  if (code === 'EAFNOSUPPORT') return 'this machine has no IPv6';
  return describeError(error);
}

function remedyOf({ port }: DnsBinding, protocol: 'UDP' | 'TCP', error: Error): string {
  const code = errnoOf(error);
  if (code === 'EADDRINUSE') {
    const list = protocol === 'UDP' ? '-lunp' : '-ltnp';
    return `See who has it with \`ss ${list} 'sport = ${port}'\` (often a resolver on 0.0.0.0), or listen on another address or port with --bind.`;
  }
  // Below net.ipv4.ip_unprivileged_port_start (ip(7)).
  if (code === 'EACCES') {
    return 'Ports below 1024 want CAP_NET_BIND_SERVICE (AmbientCapabilities= of the unit), or root; or listen on another port with --bind.';
  }
  if (code === 'EADDRNOTAVAIL') return 'See which it has with `ip address`, and name one of them with --bind.';
  if (code === 'EAFNOSUPPORT') return 'Listen on an IPv4 address with --bind, such as 0.0.0.0.';
  return 'Listen on another address or port with --bind.';
}
