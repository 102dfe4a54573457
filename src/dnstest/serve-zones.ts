/** The zones of a server and their name servers, from what is typed or configured (pure). */
import { isIP } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import { NetstewardError } from '../core/errors.ts';
import type { ServedZone } from './answer.ts';
import { isWildcard } from './serve-binding.ts';
import type { AddressBytes, ZoneServer } from './zone.ts';

/** `bindings`: numeric addresses. Throws NetstewardError `usage`. */
export function servedZones(
  zones: readonly string[],
  servers: readonly string[],
  bindings: readonly { readonly address: string }[],
): readonly ServedZone[] {
  if (zones.length === 0 && servers.length > 0) {
    throw new NetstewardError('usage', `--ns ${servers[0]}: belongs to no zone`, {
      remedy: 'Name the zone with --zone.',
    });
  }
  const named = servers.map(serverOf);
  // Whoever asks for the name server's address gets one that is true, if any: the hash of its name would lead nowhere.
  const own = bindings.map(({ address }) => address).filter((address) => !isWildcard(address));
  return zones.map((name) => ({
    name,
    servers:
      named.length > 0 ? named : [{ name: name === '.' ? 'ns.' : `ns.${name}`, addresses: own.map(addressBytes) }],
  }));
}

/** `NAME` or `NAME=ADDRESS,…`. */
function serverOf(text: string): ZoneServer {
  const [name = '', ...rest] = text.split('=');
  const addresses = rest.length === 0 ? [] : rest.join('=').split(',');
  const wrong = addresses.find((address) => isIP(address) === 0);
  if (name === '' || wrong !== undefined) {
    throw new NetstewardError('usage', `--ns ${text}: must be NAME or NAME=ADDRESS,…`, {
      remedy: 'For example: --ns ns.test.example.org=192.0.2.1,2001:db8::1.',
    });
  }
  return { name, addresses: addresses.map(addressBytes) };
}

/** Of a valid address without a zone index. */
function addressBytes(text: string): AddressBytes {
  return Uint8Array.from(text.includes(':') ? new Address6(text).toByteArray() : new Address4(text).toArray());
}
