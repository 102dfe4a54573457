/** Whether the kernel has a way to the internet for packets of ours, asked without sending any. */
import { createSocket } from 'node:dgram';
import { errnoOf } from '../../core/errors.ts';

// Root name servers: of all public addresses the least likely to have a route of their own.
const far = { 4: '198.41.0.4', 6: '2001:503:ba3e::2:30' } as const;

// No route; routes of type unreachable, blackhole, prohibit (ip-route(8)); no address for the family, or no such family.
const wayless = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * connect(2) on a UDP socket looks the route up as for a packet, `ip rule` and every table included, and sends none; what
 * it binds to is the source address (udp(7), ip-rule(8)). One that no answer can come back to is no way: that of lo, or
 * that of the link (RFC 4291 §2.5.6). What cannot be found out counts as a way.
 */
export function hasRoute(family: 4 | 6): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    const end = (error: Error | undefined): void => {
      const address = error === undefined ? socket.address().address : '';
      resolve(
        error === undefined ? address !== '::1' && !address.startsWith('fe80:') : !wayless.has(errnoOf(error) ?? ''),
      );
      socket.close();
    };
    // The binding before; what the connecting itself fails with comes to its callback alone.
    socket.once('error', end);
    // The port is discard; no route depends on it.
    socket.connect(9, far[family], (error?: Error | null) => end(error ?? undefined));
  });
}
