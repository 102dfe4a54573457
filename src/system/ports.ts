/** The system as the modules see it. Each port has a fake (test/fakes), real adapters (system/linux) and one suite for both (test/contract). */
import type { NftScript } from './nft-script.ts';
import type { ProbeFacts } from './probe-facts.ts';

/** nftables, over one netlink socket that lives as long as this object. Never inside a worker thread (contracts: an owner table would stay locked). */
export interface Nft {
  /** Which adapter this is: in-process libnftables, or a kept-open `nft -i` child. */
  readonly kind: string;
  /** Netlink port id of the socket: tells own commits from those of others. Undefined where it cannot be found out. */
  readonly portId: number | undefined;
  /** One kernel transaction: all of it or nothing. Rejects with NftError, which carries nft's own message. */
  apply(script: NftScript): Promise<void>;
  /** The same without changing anything (libnftables' check mode). */
  check(script: NftScript): Promise<void>;
  /** Runs one listing command and gives the `nftables` array of its JSON (libnftables-json(5)). */
  list(script: NftScript): Promise<readonly unknown[]>;
  /** Told when the socket is gone without close() (its child died), and what it owned with it. The kernel notifies nobody of that. */
  onLost(listener: () => void): void;
  close(): Promise<void>;
}

/** A committed nftables transaction, as the kernel's notification group told it. */
export interface RulesetChange {
  /** Netlink port ids of the writers. */
  readonly portIds: ReadonlySet<number>;
  /** Names of tables touched by others than the ignored ports; `'*'` when notifications were lost and anything may have changed. */
  readonly tables: ReadonlySet<string> | '*';
  /** Names of sets (in those tables) that were made, removed or whose elements changed. */
  readonly sets: ReadonlySet<string> | '*';
}

export interface RulesetEvents {
  /** Subscribes; `ignore`: port ids whose changes are not told. Errors end the subscription through `onError`. */
  watch(
    ignore: () => ReadonlySet<number>,
    onChange: (change: RulesetChange) => void,
    onError: (error: Error) => void,
  ): { close(): Promise<void> };
}

/** Content of nftables sets by set name; addresses in canonical text (IPv6 compressed, lower case). */
export type SetContents = ReadonlyMap<string, ReadonlySet<string>>;

/** Sets that nft-agent keeps at what was last asked, whoever flushes them. */
export interface AddressSets {
  /**
   * Makes these the desired contents (sets that are not named become empty). Resolves when the kernel holds them or something
   * newer; rejects with the agent's message when it was refused or could not be reached, and goes on trying by itself.
   */
  hold(contents: SetContents): Promise<void>;
  /** What the agent said last of its table: owned, refilled after a flush, … */
  status(): AddressSetsStatus;
  /**
   * Listed addresses that packets went to lately, with the seconds since the last one; 4096 at most. Rejects where the sets are not
   * configured to tell it, or the agent cannot now. Absent: they never can.
   */
  used?(): Promise<ReadonlyMap<string, number>>;
  /** What becomes of the sets when this process ends without close(): from now on, and by an agent that starts later. */
  setOnStop(mode: 'keep' | 'flush'): void;
  /** `keep` leaves the kernel as it is, as far as the table's kind allows; `flush` empties the sets. */
  close(mode: 'keep' | 'flush'): Promise<void>;
}

export interface AddressSetsStatus {
  readonly connected: boolean;
  /** Of the own table: 'owner', 'owner-persist' or 'plain'; 'foreign' for sets of the administrator's ruleset; undefined before the agent said so. */
  readonly table: 'owner' | 'owner-persist' | 'plain' | 'foreign' | undefined;
  readonly lastError: string | undefined;
  /** How often sets were put back after others had changed them. */
  readonly refills: number;
  /** Connections that were dropped because their address has changed its route, and why the last ones could not be; absent: none yet. */
  readonly connections?: { readonly dropped: number; readonly problem?: string };
}

export interface FileStat {
  /** Milliseconds since the epoch, with fractions. */
  readonly mtimeMs: number;
  readonly size: number;
}

export interface Files {
  /** Undefined when there is no such file. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Rejects with a Node system error. */
  read(path: string): Promise<Buffer>;
  /** Whether this process may write the file or, where there is none, make it in its folder. Changes nothing; never rejects. */
  writable(path: string): Promise<boolean>;
}

/** Files that a module writes for others to read. All reject with a Node system error. */
export interface OutputFiles {
  /** Undefined when there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** Appends, making the file where there is none (mode 0640); gives its size afterwards. */
  append(path: string, text: string): Promise<number>;
  /** Replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** The whole content at once: readers see the old file or the new one, never a part. The mode stays as it was (0644 for a new file). */
  replace(path: string, content: string): Promise<void>;
}

export type UplinkState =
  /** `without`: families that have no route to the internet; absent for none. */
  { readonly up: true; readonly without?: readonly (4 | 6)[] } | { readonly up: false; readonly detail: string };

/** The way to the internet that this machine's own packets take, and its link. */
export interface Uplink {
  /** Only reads. Never rejects: what cannot be found out counts as up. */
  state(): Promise<UplinkState>;
}

export interface CommandRequest {
  /** Program and arguments; no shell sees them. */
  readonly argv: readonly string[];
  /** Milliseconds until it is ended, by force if it must be. */
  readonly timeout: number;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

export type CommandOutcome =
  | { readonly ok: true }
  /** Not found, ended with a code, too late, …: for people, without control characters. */
  | {
      readonly ok: false;
      readonly reason: string;
      /** What it ended with by itself. */
      readonly code?: number;
    };

export interface Commands {
  /** Never rejects; an aborted signal ends the command. */
  run(request: CommandRequest, signal: AbortSignal): Promise<CommandOutcome>;
}

export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

export interface Statement {
  run(...parameters: SqlValue[]): { readonly changes: number | bigint };
  get(...parameters: SqlValue[]): SqlRow | undefined;
  all(...parameters: SqlValue[]): SqlRow[];
}

/** What a database file says of itself (sqlite.org/fileformat2.html §1.3). */
export interface DatabaseMark {
  readonly applicationId: number;
  readonly userVersion: number;
  /** Bytes that the file should have, as its header says, and has not. */
  readonly missingBytes: number;
}

/**
 * An SQLite database (the synchronous API that node:sqlite and @photostructure/sqlite share). Its file is touched with the
 * first statement and no sooner, so that the file of another program can be known by its mark and left exactly as it is.
 * From then on everything but close() may throw NetstewardError `state-file-unusable` or `-damaged`, or SQLite's errors.
 */
export interface Database {
  /** As found on opening; undefined for a file that is new or empty, and for one that this process has open already. */
  readonly mark: DatabaseMark | undefined;
  /** False once the file that is open was removed, or another one was put in its place. */
  inPlace(): boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /** BEGIN IMMEDIATE … COMMIT; rolled back when `work` throws. */
  transaction<Result>(work: () => Result): Result;
  /** Checkpoints the write-ahead log, so that the state is in the one file alone. Idempotent. */
  close(): void;
}

export interface Store {
  /**
   * Looks at the file without changing it; the first statement opens or makes it, in WAL mode with foreign keys on.
   * Throws NetstewardError: `state-file-not-sqlite`, `-damaged`, `-unusable`.
   */
  open(path: string): Database;
}

export interface ResolveRequest {
  readonly name: string;
  /** Milliseconds. */
  readonly timeout: number;
}

export type ResolveOutcome =
  /** Every A and AAAA address as answered, in canonical text, none left out. May be empty (NODATA). */
  | { readonly ok: true; readonly addresses: readonly string[] }
  /** `kind`: nxdomain, timeout, servfail, refused, malformed, … ; `detail` for people. */
  | { readonly ok: false; readonly kind: string; readonly detail: string };

export interface Resolver {
  /** Never rejects but for an aborted signal. */
  resolve(request: ResolveRequest, signal: AbortSignal): Promise<ResolveOutcome>;
}

export interface ProbeRequest {
  readonly scheme: 'http' | 'https';
  /** Server name and Host header; the certificate is verified against it. */
  readonly host: string;
  /** The one address to connect to. */
  readonly address: string;
  /** An own address of that family to send from; absent: the one that the route prefers. */
  readonly source?: string;
  /** Path with query, starting with `/`. */
  readonly path: string;
  /** Milliseconds, each for the TCP connect and for everything from the TLS hello on. */
  readonly timeout: number;
  /** Bytes of the body that are read, and thrown away, before the answer counts. */
  readonly bodyLimit: number;
}

export type ProbeStage = 'connect' | 'tls' | 'http' | 'body';

export type ProbeOutcome =
  /** The whole body came, or its first `bodyLimit` bytes. */
  | { readonly kind: 'answer'; readonly status: number; readonly bytes: number; readonly location: string | undefined }
  /** `status` where the headers had come. `reason`: timeout, refused, reset, unreachable, certificate, protocol, headers-too-large, … */
  | {
      readonly kind: 'failure';
      readonly stage: ProbeStage;
      readonly reason: string;
      readonly detail: string;
      readonly status?: number;
      /** Beside the verdict; absent where nothing more is known. */
      readonly facts?: ProbeFacts;
    }
  /** The machine itself could not try (no descriptor, no local port, no memory): it says nothing of the service. */
  | { readonly kind: 'local-failure'; readonly detail: string };

export interface HttpProbe {
  /** Queues by itself as many as the machine can carry; never rejects but for an aborted signal. */
  probe(request: ProbeRequest, signal: AbortSignal): Promise<ProbeOutcome>;
}

/** sd_notify(3), or nothing where there is no $NOTIFY_SOCKET. */
export interface Notifier {
  notify(state: Readonly<Record<string, string>>): void;
}
