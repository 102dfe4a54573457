/** Timers and limits of the state machine, under the contract's names. Seconds. */

export interface Timers {
  /** A host is resolved again after this long. */
  readonly hostAddrs: number;
  /** An address is checked again after this long. */
  readonly addrState: number;
  /** A host that is `na` and works again goes back to `ok` after this long. */
  readonly hostOkState: number;
  /** A host that fails goes to `na` after this long. */
  readonly hostNaState: number;
  /** An address that DNS no longer answers is forgotten after this long. */
  readonly hostAddrTimeout: number;
}

export interface Limits {
  /** Hosts that are resolved in one pass. */
  readonly iterHosts: number;
  /** Addresses that are checked in one pass. */
  readonly iterAddrs: number;
  /** Addresses that are kept of one host, newest answers first. */
  readonly addrsPerHost: number;
}

export const contractTimers: Timers = {
  hostAddrs: 420,
  addrState: 54_000,
  hostOkState: 147_600,
  hostNaState: 36_000,
  hostAddrTimeout: 1_036_800,
};

export const contractLimits: Limits = { iterHosts: 9, iterAddrs: 32, addrsPerHost: 18 };
