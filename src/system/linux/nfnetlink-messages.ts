/** Messages of NETLINK_NETFILTER: how one is made, and how a datagram of them is read: linux/netlink.h, linux/netfilter/nfnetlink.h (pure). */
import { littleEndian } from './netlink-attributes.ts';

/** NLMSG_ERROR (with errno 0: an acknowledgement), NLMSG_DONE */
export const messageError = 2;
export const messageDone = 3;
/** nlmsghdr (16 bytes, host order) and nfgenmsg (4 bytes; its last two in network order). */
export const headerLength = 20;
const shortest = 16;

/** `type`: with the subsystem in its upper byte. `family`, `resource`: of the nfgenmsg. */
export function message(
  type: number,
  flags: number,
  sequence: number,
  family: number,
  resource: number,
  body: Buffer,
): Buffer {
  const bytes = Buffer.alloc(headerLength + body.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, bytes.length, littleEndian);
  view.setUint16(4, type, littleEndian);
  view.setUint16(6, flags, littleEndian);
  view.setUint32(8, sequence, littleEndian);
  view.setUint8(16, family);
  view.setUint16(18, resource, false);
  body.copy(bytes, headerLength);
  return bytes;
}

/** One message of a datagram. */
export interface NetfilterMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  /** The family of its nfgenmsg, and its attributes; undefined where it is too short for them. */
  readonly family: number | undefined;
  readonly body: Buffer | undefined;
  /** Of messageError and messageDone, positive; undefined where it says none. */
  readonly errno: number | undefined;
}

/** A dump has 100 000 of them: nothing is made but what is asked for. */
class MessageAt implements NetfilterMessage {
  readonly #datagram: Buffer;
  readonly #view: DataView;
  readonly #at: number;
  readonly #end: number;

  constructor(datagram: Buffer, view: DataView, at: number, end: number) {
    this.#datagram = datagram;
    this.#view = view;
    this.#at = at;
    this.#end = end;
  }

  get type(): number {
    return this.#view.getUint16(this.#at + 4, littleEndian);
  }

  get flags(): number {
    return this.#view.getUint16(this.#at + 6, littleEndian);
  }

  get sequence(): number {
    return this.#view.getUint32(this.#at + 8, littleEndian);
  }

  get portId(): number {
    return this.#view.getUint32(this.#at + 12, littleEndian);
  }

  get family(): number | undefined {
    return this.#isWhole ? this.#view.getUint8(this.#at + 16) : undefined;
  }

  get body(): Buffer | undefined {
    return this.#isWhole ? this.#datagram.subarray(this.#at + headerLength, this.#end) : undefined;
  }

  get errno(): number | undefined {
    return this.#isWhole ? 0 - this.#view.getInt32(this.#at + 16, littleEndian) : undefined;
  }

  get #isWhole(): boolean {
    return this.#end - this.#at >= headerLength;
  }
}

/** A truncated message ends the reading. */
export function messagesOf(datagram: Buffer): readonly NetfilterMessage[] {
  const found: NetfilterMessage[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + shortest <= datagram.length; ) {
    const length = view.getUint32(at, littleEndian);
    if (length < shortest || at + length > datagram.length) break;
    found.push(new MessageAt(datagram, view, at, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}
