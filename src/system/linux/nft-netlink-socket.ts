/** A raw netlink socket that listens to the group NFNLGRP_NFTABLES, through koffi and libuv's own poll (no thread is held). */
import type { LibraryHandle, node } from 'koffi';
import { NetstewardError } from '../../core/errors.ts';

// bits/socket.h, linux/netlink.h, linux/netfilter/nfnetlink.h, asm-generic/socket.h, asm-generic/errno.h.
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const NFNLGRP_NFTABLES = 7;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;

// A refill of 100 000 elements by others is some 10 MB of notifications; memory is taken only while they wait.
const receiveBuffer = 32 * 1024 * 1024;
// The kernel batches notifications up to NLMSG_GOODSIZE (a page, 8 kB at most); one that is larger comes alone.
const datagramSize = 256 * 1024;
const datagramsInOneTurn = 512;

type KoffiFunction = ReturnType<LibraryHandle['func']>;

interface Calls {
  readonly socket: KoffiFunction;
  readonly bind: KoffiFunction;
  readonly setsockopt: KoffiFunction;
  readonly recv: KoffiFunction;
  readonly close: KoffiFunction;
  readonly errno: () => number;
  readonly poll: typeof node.poll;
}

export interface NetlinkListener {
  datagram(bytes: Buffer): void;
  /** The kernel dropped notifications: the receive buffer was full. */
  overrun(): void;
  /** The socket is closed and tells nothing any more. */
  failed(error: Error): void;
}

let calls: Calls | undefined;

export class NetlinkSocket {
  readonly #calls: Calls;
  readonly #listener: NetlinkListener;
  readonly #buffer = Buffer.allocUnsafe(datagramSize);
  readonly #descriptor: number;
  readonly #poll: node.PollHandle;
  #closed = false;

  /** Throws NetstewardError `ruleset-events-unavailable`; load() must have succeeded. */
  constructor(listener: NetlinkListener) {
    if (calls === undefined) throw unavailable('koffi is not loaded', 0);
    this.#calls = calls;
    this.#listener = listener;
    this.#descriptor = openSocket(calls);
    this.#poll = calls.poll(this.#descriptor, { readable: true }, () => this.#drain());
  }

  /** Rejects when koffi cannot be loaded here. */
  static async load(): Promise<void> {
    if (calls !== undefined) return;
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    calls = {
      socket: libc.func('int socket(int domain, int type, int protocol)'),
      bind: libc.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
      setsockopt: libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
      recv: libc.func('long recv(int fd, _Out_ uint8_t *buffer, size_t length, int flags)'),
      close: libc.func('int close(int fd)'),
      errno: () => koffi.errno(),
      poll: koffi.node.poll,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.stop();
    this.#poll.close();
    this.#calls.close(this.#descriptor);
  }

  #drain(): void {
    for (let left = datagramsInOneTurn; left > 0 && !this.#closed; left--) {
      const length = Number(this.#calls.recv(this.#descriptor, this.#buffer, datagramSize, 0));
      if (length >= 0) {
        this.#listener.datagram(this.#buffer.subarray(0, length));
        continue;
      }
      const code = this.#calls.errno();
      if (code === EAGAIN) return;
      if (code === ENOBUFS) this.#listener.overrun();
      else if (code !== EINTR) {
        this.close();
        this.#listener.failed(unavailable('the netlink socket of ruleset notifications failed', code));
      }
    }
  }
}

function openSocket({ socket, bind, setsockopt, close, errno }: Calls): number {
  const descriptor: number = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (descriptor < 0) throw unavailable('no netlink socket can be opened', errno());
  // SO_RCVBUFFORCE needs CAP_NET_ADMIN in the first user namespace; without it net.core.rmem_max is the limit.
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, [receiveBuffer], 4) !== 0) {
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, [receiveBuffer], 4);
  }
  // struct sockaddr_nl: family, padding, port id (0: the kernel picks one), groups, in host byte order.
  const address = new Uint8Array(12);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK;
  new Uint32Array(address.buffer, 8, 1)[0] = 1 << (NFNLGRP_NFTABLES - 1);
  if (bind(descriptor, address, address.byteLength) !== 0) {
    const code = errno();
    close(descriptor);
    throw unavailable('the group of ruleset notifications cannot be joined', code);
  }
  return descriptor;
}

function unavailable(what: string, code: number): NetstewardError {
  return new NetstewardError('ruleset-events-unavailable', code === 0 ? what : `${what} (errno ${code})`);
}
