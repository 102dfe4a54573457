/** The system as dyndns sees it: datagrams, zone files that others write too, and questions to one name server. */

/** What the kernel told of one datagram. */
export interface DatagramListener {
  /** `source`: the sender's address as text, `::ffff:a.b.c.d` and `fe80::1%eth0` among them. The bytes are the listener's. */
  datagram(bytes: Uint8Array, source: string): void;
  /** The socket is closed and hears nothing any more. */
  failed(error: Error): void;
}

export interface UdpSocket {
  /** Where it listens, such as `[::]:5533`. */
  readonly local: string;
  /** Bytes that the kernel queues for it, as far as it is known (socket(7): twice what was asked for). */
  readonly receiveBuffer: number;
  /** Idempotent. */
  close(): Promise<void>;
}

export type UdpBinding =
  /** A socket that was opened for this process (sd_listen_fds(3)). */
  | { readonly fd: number }
  /** `address`: numeric; `::` takes both families where net.ipv6.bindv6only is 0. */
  | { readonly address: string; readonly port: number };

export interface UdpSockets {
  /** Rejects with NetstewardError `udp-not-bound`. */
  open(binding: UdpBinding, listener: DatagramListener): Promise<UdpSocket>;
}

/** Tells one state of a file from any other: device, inode, size, and time of change in nanoseconds. */
export type FileMark = string;

export interface ZoneContent {
  readonly content: Buffer;
  readonly mark: FileMark;
  /** Somebody had it open for writing: this may be a part of what it is about to be. */
  readonly halfSaved?: boolean;
  /** Gives the memory back for the next read; nothing may look at the content afterwards. */
  readonly free?: () => void;
}

/** A new content as pieces, one after the other. */
export type ZonePieces = readonly Uint8Array[];

/** `written`: the new content is at the path, durable; `same`: the edit wanted no change; both with the mark as it is now. */
export type ZoneWrite = { readonly kind: 'written' | 'same'; readonly mark: FileMark };

/** Zone files, which editors and other update servers write at the same time. All reject with NetstewardError `zone-*`. */
export interface ZoneFiles {
  /** Undefined when there is no such file. */
  look(path: string): Promise<FileMark | undefined>;
  read(path: string): Promise<ZoneContent>;
  /**
   * Replaces the file in one step by what `edit` makes of its content; undefined: leave it. `edit` is pure and runs again
   * when somebody else has written meanwhile, so that neither change is lost. Readers see the old file or the new one.
   * The content is the edit's until its end only.
   */
  replace(path: string, edit: ZoneEditing, steps?: ZoneSteps): Promise<ZoneWrite>;
}

export type ZoneEditing = (content: Buffer) => ZonePieces | Buffer | undefined;

/** What goes on beside the writing of a zone. */
export interface ZoneSteps {
  /** The new file is made meanwhile, but readers find it only afterwards. Must not reject. */
  readonly ready?: Promise<void>;
  /** Readers find the new file; it outlives a power cut only when replace() has resolved. */
  readonly seen?: (mark: FileMark) => void;
}

/** Makes commits of a database outlive a power cut, without a stop of the thread that made them. */
export interface CommitSync {
  /** Resolves when all that was committed before the call is on the disk. Rejects with a system error. */
  sync(path: string): Promise<void>;
}

export interface NameServerQuestion {
  /** Numeric. */
  readonly server: string;
  readonly port: number;
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  /** Milliseconds. */
  readonly timeout: number;
}

/** Asks one name server directly, without recursion. */
export interface NameServer {
  /** Addresses as the answer has them. Never rejects: `reason` where there was no answer. */
  ask(
    question: NameServerQuestion,
  ): Promise<
    { readonly ok: true; readonly addresses: readonly string[] } | { readonly ok: false; readonly reason: string }
  >;
}
