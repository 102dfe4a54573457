/** The AddressLookup port over getaddrinfo(3), as every program of this machine asks: resolv.conf, nsswitch, hosts and search list. */
import { type LookupAddress, lookup } from 'node:dns';
import type { Clock } from '../../core/clock.ts';
import { errnoOf } from '../../core/errors.ts';
import type { AddressLookup, LookupOutcome } from '../dns-client-ports.ts';
import { onAbort } from './http-probe-abort.ts';

export type GetAddrInfo = (
  name: string,
  family: 4 | 6,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void;

// No ADDRCONFIG (RFC 3493 section 6.1): AAAA is to be asked for on a machine without IPv6, too.
const getaddrinfo: GetAddrInfo = (name, family, done) => lookup(name, { family, all: true, hints: 0 }, done);

/** libuv's UV_EAI_NODATA (uv/errno.h). Node calls it ENOTFOUND, like a name that does not exist, and keeps the number. */
const eaiNoData = -3007;

export class LibcLookup implements AddressLookup {
  readonly #clock: Clock;
  readonly #lookup: GetAddrInfo;

  /** `lookup`: getaddrinfo itself, but in tests. */
  constructor(clock: Clock, lookup: GetAddrInfo = getaddrinfo) {
    this.#clock = clock;
    this.#lookup = lookup;
  }

  /** The time-out ends the wait alone: a thread of libuv hangs until libc gives up, and there are four (UV_THREADPOOL_SIZE). */
  lookup(name: string, family: 4 | 6, timeout: number, signal: AbortSignal): Promise<LookupOutcome> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const end = (tell: () => void): void => {
        timer.cancel();
        forget();
        tell();
      };
      const forget = onAbort(signal, () => end(() => reject(signal.reason)));
      const timer = this.#clock.after(timeout, () =>
        end(() => resolve({ ok: false, code: 'ETIMEDOUT', empty: false })),
      );
      this.#lookup(name, family, (error, addresses) => {
        end(() => resolve(error === null ? found(addresses) : missing(error)));
      });
    });
  }
}

const found = (addresses: readonly LookupAddress[]): LookupOutcome => ({
  ok: true,
  addresses: addresses.map(({ address }) => address),
});

function missing(error: NodeJS.ErrnoException): LookupOutcome {
  return { ok: false, code: errnoOf(error) ?? error.message, empty: error.errno === eaiNoData };
}
