/** Opens the Resolver that a configuration asks for: named servers, or the system's own way. */
import type { Clock } from '../../core/clock.ts';
import type { Resolver } from '../ports.ts';
import { type ServerAddress, ServersResolver } from './resolver-servers.ts';
import { SystemResolver } from './resolver-system.ts';

/** `servers` absent: getaddrinfo(3). Throws NetstewardError `resolver-server-invalid`. */
export function openResolver(clock: Clock, servers?: readonly ServerAddress[]): Resolver {
  return servers === undefined ? new SystemResolver({ clock }) : new ServersResolver({ clock, servers });
}
