/** Requests to NETLINK_NETFILTER and their answers, over a socket of its own or over one that is open in this process. */
import type { LibraryHandle } from 'koffi';
import { NftError } from '../nft-error.ts';
import { type Answer, parseAnswers } from './nft-kernel-messages.ts';
import { portIdAmong, socketInodes } from './nft-port-id.ts';

// bits/socket.h, linux/netlink.h, asm-generic/errno-base.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;

/** The kernel answers before send() returns; a missing answer must not hang the process all the same. */
const longestWait = 2;
/** Datagrams of a dump have 32 kB at most (net/netlink/af_netlink.c). */
const bufferSize = 64 * 1024;

type Call = ReturnType<LibraryHandle['func']>;
type Calls = Readonly<Record<'socket' | 'bind' | 'setsockopt' | 'send' | 'recv' | 'close', Call>> & {
  readonly errno: () => number;
};

let loaded: Calls | undefined;
let sequences = 0;

export class NetlinkRequests {
  readonly portId: number | undefined;
  readonly #calls: Calls;
  readonly #descriptor: number;
  readonly #mine: boolean;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferSize);
  #closed = false;

  private constructor(calls: Calls, descriptor: number, mine: boolean, portId: number | undefined) {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#mine = mine;
    this.portId = portId;
  }

  /** Rejects when koffi cannot be loaded here. */
  static async load(): Promise<void> {
    if (loaded !== undefined) return;
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    loaded = {
      socket: libc.func('int socket(int domain, int type, int protocol)'),
      bind: libc.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
      setsockopt: libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)'),
      send: libc.func('long send(int fd, const uint8_t *bytes, size_t length, int flags)'),
      recv: libc.func('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)'),
      close: libc.func('int close(int fd)'),
      errno: () => koffi.errno(),
    };
  }

  /** A socket of its own. load() must have succeeded. Throws NftError. */
  static open(): NetlinkRequests {
    const calls = needed();
    const before = socketInodes('self');
    const descriptor: number = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (descriptor < 0) throw failed('no netlink socket can be opened', calls.errno());
    // struct timeval: seconds and microseconds, each a long.
    const wait = new BigInt64Array([BigInt(longestWait), 0n]);
    calls.setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(wait.buffer), wait.byteLength);
    // struct sockaddr_nl with port id 0: the kernel picks one.
    const address = new Uint8Array(12);
    new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK;
    calls.bind(descriptor, address, address.byteLength);
    const inodes = [...socketInodes('self').keys()].filter((inode) => !before.has(inode));
    return new NetlinkRequests(calls, descriptor, true, portIdAmong('self', inodes));
  }

  /** Over the socket of this process with this port id, which somebody else closes; undefined when there is none. */
  static over(portId: number): NetlinkRequests | undefined {
    for (const [inode, descriptor] of socketInodes('self')) {
      if (portIdAmong('self', [inode]) === portId) return new NetlinkRequests(needed(), descriptor, false, portId);
    }
    return undefined;
  }

  /** A sequence number for the next request: no two sockets of this process have the same one at a time. */
  next(): number {
    sequences = (sequences + 1) >>> 0;
    return sequences;
  }

  send(request: Buffer): void {
    if (this.#closed) throw new NftError('died', 'the netlink socket is closed');
    const sent = Number(this.#calls.send(this.#descriptor, request, request.length, 0));
    if (sent !== request.length) throw failed('the kernel takes no netlink request', this.#calls.errno());
  }

  /** One datagram's answers to that request. Copies: the attributes outlive the buffer. */
  receive(sequence: number): readonly Answer[] {
    for (;;) {
      const length = this.#receive(0);
      if (length > 0) return parseAnswers(Buffer.from(this.#buffer.subarray(0, length)), sequence);
      if (this.#calls.errno() !== EINTR)
        throw failed('the kernel does not answer a netlink request', this.#calls.errno());
    }
  }

  /** The next datagram as it is; its bytes are overwritten by the next call. For answers of other subsystems than nf_tables. */
  datagram(): Buffer {
    for (;;) {
      const length = this.#receive(0);
      if (length > 0) return this.#buffer.subarray(0, length);
      if (this.#calls.errno() !== EINTR)
        throw failed('the kernel does not answer a netlink request', this.#calls.errno());
    }
  }

  /** All datagrams that wait, copied. */
  waiting(): readonly Buffer[] {
    const datagrams: Buffer[] = [];
    for (;;) {
      const length = this.#receive(MSG_DONTWAIT);
      if (length > 0) datagrams.push(Buffer.from(this.#buffer.subarray(0, length)));
      else if (this.#calls.errno() !== EINTR) return datagrams;
    }
  }

  /** All that waits; whoever else uses the socket must not find answers that are not for him. */
  drain(sequence = 0): readonly Answer[] {
    const answers: Answer[] = [];
    for (;;) {
      const length = this.#receive(MSG_DONTWAIT);
      if (length > 0) answers.push(...parseAnswers(Buffer.from(this.#buffer.subarray(0, length)), sequence));
      else if (this.#calls.errno() !== EINTR) return answers;
    }
  }

  close(): void {
    if (this.#closed || !this.#mine) return;
    this.#closed = true;
    this.#calls.close(this.#descriptor);
  }

  #receive(flags: number): number {
    return Number(this.#calls.recv(this.#descriptor, this.#buffer, bufferSize, flags));
  }
}

function needed(): Calls {
  if (loaded === undefined) throw new NftError('other', 'koffi is not loaded');
  return loaded;
}

function failed(what: string, errno: number): NftError {
  return new NftError('other', `${what} (errno ${errno})`);
}
