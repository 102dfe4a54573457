/** What a pass goes by, from a parsed configuration (pure). */
import type { NbrpcConfig } from './config.ts';
import type { PassSettings } from './pass.ts';
import { contractTimers, type Timers } from './settings.ts';

export function passSettings(config: NbrpcConfig): PassSettings {
  const { iter_hosts: iterHosts, iter_addrs: iterAddrs, addrs_per_host: addrsPerHost } = config.limits;
  return {
    lists: config.check_lists,
    timers: timersOf(config),
    limits: { iterHosts, iterAddrs, addrsPerHost },
    defaultPolicy: config.default_policy,
    resolveTimeout: config.resolver.timeout,
    filterAddresses: true,
  };
}

/** Seconds, as the state machine counts. */
export function timersOf(config: NbrpcConfig): Timers {
  const { timers: ms } = config;
  return {
    ...contractTimers,
    hostAddrs: ms.host_addrs / 1000,
    addrState: ms.addr_state / 1000,
    hostOkState: ms.host_ok_state / 1000,
    hostNaState: ms.host_na_state / 1000,
    hostAddrTimeout: ms.host_addr_timeout / 1000,
  };
}
