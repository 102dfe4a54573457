/** Real adapters for the dyndns client. */
import { randomInt } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { ClientPorts } from '../dyndns/client-round.ts';
import type { AddressEvents } from '../system/address-ports.ts';

export interface DyndnsClientPorts extends ClientPorts {
  readonly addresses: AddressEvents;
}

export async function composeDyndnsClient(log: Logger): Promise<DyndnsClientPorts> {
  const [{ openResolver }, { udpSender }, { IprouteAddresses }] = await Promise.all([
    import('../system/linux/resolver.ts'),
    import('../system/linux/udp-sender.ts'),
    import('../system/linux/address-events.ts'),
  ]);
  const clock = systemClock;
  return {
    clock,
    log,
    resolver: openResolver(clock),
    sender: udpSender,
    choose: (count) => randomInt(count),
    told: new Set(),
    addresses: new IprouteAddresses({ clock }),
  };
}
