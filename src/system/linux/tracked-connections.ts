/** Drops the kernel's entries of connections to addresses, over a netlink socket of its own. */
import { NetstewardError } from '../../core/errors.ts';
import {
  type Connection,
  connectionsQuestion,
  deletions,
  destinationKey,
  familyOfAddress,
  type IpFamily,
  parseConnections,
  parseErrors,
} from './conntrack-messages.ts';
import { NetlinkRequests } from './netlink-requests.ts';

// asm-generic/errno-base.h
const ENOENT = 2;
const EINVAL = 22;
/** Up to so many IPv4 addresses are asked for one by one: the kernel looks through its whole table for each, without a pause. */
const mostFilters = 4;
/** Datagrams of 32 kB that are read before others have a turn. */
const datagramsInOneTurn = 4;
/** Of one send: the errors of all of them fit in a socket's default receive buffer. */
const deletionsInOneSend = 100;
/** Entries of one drop(): a table has 262 144 by default (nf_conntrack_max). */
const mostConnections = 300_000;

/** What nft-agent uses of it. */
export interface ConnectionDropper {
  /**
   * Drops what was first sent to one of these canonical addresses, of forwarded and own traffic; gives how many entries. Others have
   * turns meanwhile. Rejects with NetstewardError `connections-not-dropped`.
   */
  drop(addresses: ReadonlySet<string>): Promise<number>;
  close(): void;
}

export class TrackedConnections implements ConnectionDropper {
  readonly #requests: NetlinkRequests;
  /** A socket can have one dump at a time. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(requests: NetlinkRequests) {
    this.#requests = requests;
  }

  /** Rejects with NetstewardError `connections-not-dropped` where koffi cannot be loaded, or NftError. */
  static async open(): Promise<TrackedConnections> {
    try {
      await NetlinkRequests.load();
    } catch (cause) {
      throw new NetstewardError(
        'connections-not-dropped',
        'the native library koffi cannot be loaded, so there is no netlink',
        {
          remedy: 'Install with its optional packages, or set nbrpc.drop_connections = false.',
          cause,
        },
      );
    }
    return new TrackedConnections(NetlinkRequests.open());
  }

  drop(addresses: ReadonlySet<string>): Promise<number> {
    const outcome = this.#queue.then(() => this.#drop(addresses));
    this.#queue = outcome.catch(() => {});
    return outcome;
  }

  close(): void {
    this.#requests.close();
  }

  async #drop(addresses: ReadonlySet<string>): Promise<number> {
    let dropped = 0;
    for (const family of [4, 6] as const) {
      const own = [...addresses].filter((address) => familyOfAddress(address) === family);
      if (own.length > 0) dropped += await this.#delete(await this.#find(family, own));
    }
    return dropped;
  }

  async #find(family: IpFamily, addresses: readonly string[]): Promise<readonly Connection[]> {
    const wanted = new Set(addresses.map(destinationKey));
    const filters = family === 4 && addresses.length <= mostFilters ? addresses : [undefined];
    const found: Connection[] = [];
    for (const to of filters) {
      const sequence = this.#requests.next();
      this.#requests.send(connectionsQuestion(sequence, family, to));
      for (let turn = 1; ; turn += 1) {
        const { connections, end } = parseConnections(this.#requests.datagram(), sequence, wanted);
        for (const connection of connections) if (found.length < mostConnections) found.push(connection);
        if (end !== undefined) {
          if (end.errno !== 0) throw failed('cannot be listed', end.errno);
          break;
        }
        if (turn % datagramsInOneTurn === 0) await othersTurn();
      }
      await othersTurn();
    }
    return found;
  }

  async #delete(connections: readonly Connection[]): Promise<number> {
    let gone = 0;
    for (let at = 0; at < connections.length; at += deletionsInOneSend) {
      const some = connections.slice(at, at + deletionsInOneSend);
      const sequence = this.#requests.next();
      this.#requests.send(deletions(sequence, some));
      // The kernel has answered before send() returned, errors alone.
      const errors = this.#requests.waiting().flatMap((datagram) => parseErrors(datagram, sequence));
      const bad = errors.find((errno) => errno !== ENOENT);
      if (bad !== undefined) throw failed('cannot be removed', bad);
      gone += some.length - errors.length;
      await othersTurn();
    }
    return gone;
  }
}

function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function failed(what: string, errno: number): NetstewardError {
  // The kernel knows no such questions before the module is there; it loads it by itself where it may (net/netfilter/nfnetlink.c).
  const remedy = errno === EINVAL ? { remedy: 'Load the kernel module nf_conntrack_netlink.' } : {};
  return new NetstewardError('connections-not-dropped', `tracked connections ${what} (errno ${errno})`, remedy);
}
