/** nftables through libnftables(3) in this process: one context, one netlink socket, no echo, no handles. */
import { NftError, nftErrorFrom } from '../nft-error.ts';
import type { NftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import { listsTables, parseListing, tablesOfText } from './nft-listing.ts';
import { portIdAmong, socketInodes } from './nft-port-id.ts';

/** NFT_CTX_OUTPUT_JSON of nftables/libnftables.h. */
const outputJson = 1 << 4;
// linux/fcntl.h
const F_SETFD = 2;
const FD_CLOEXEC = 1;

interface Library {
  nft_ctx_new(flags: number): unknown;
  nft_ctx_free(context: unknown): void;
  nft_ctx_buffer_output(context: unknown): number;
  nft_ctx_buffer_error(context: unknown): number;
  nft_ctx_get_output_buffer(context: unknown): string | null;
  nft_ctx_get_error_buffer(context: unknown): string | null;
  nft_ctx_output_set_flags(context: unknown, flags: number): void;
  nft_ctx_set_dry_run(context: unknown, dry: boolean): void;
  nft_run_cmd_from_buffer(context: unknown, commands: Buffer): number;
  fcntl(descriptor: number, command: number, value: number): number;
}

let loaded: Library | undefined;

/** Throws when koffi or libnftables.so.1 cannot be loaded. */
async function loadLibrary(): Promise<Library> {
  if (loaded !== undefined) return loaded;
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libnftables.so.1');
  loaded = {
    nft_ctx_new: library.func('void *nft_ctx_new(uint32_t flags)'),
    nft_ctx_free: library.func('void nft_ctx_free(void *ctx)'),
    nft_ctx_buffer_output: library.func('int nft_ctx_buffer_output(void *ctx)'),
    nft_ctx_buffer_error: library.func('int nft_ctx_buffer_error(void *ctx)'),
    nft_ctx_get_output_buffer: library.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    nft_ctx_get_error_buffer: library.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
    nft_ctx_output_set_flags: library.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)'),
    nft_ctx_set_dry_run: library.func('void nft_ctx_set_dry_run(void *ctx, bool dry)'),
    // A Buffer is passed as it is; a string would be copied once more.
    nft_run_cmd_from_buffer: library.func('int nft_run_cmd_from_buffer(void *nft, const uint8_t *buf)'),
    fcntl: koffi.load(null).func('int fcntl(int fd, int command, int value)'),
  };
  return loaded;
}

/** Calls block the thread for as long as the kernel takes: 0.1 ms for an element, 0.3 s for 100 000. */
export class LibnftablesNft implements Nft {
  readonly kind = 'libnftables';
  readonly #library: Library;
  readonly #inodes: readonly string[];
  #context: unknown;
  #portId: number | undefined;

  private constructor(library: Library) {
    this.#library = library;
    const before = socketInodes('self');
    const context = library.nft_ctx_new(0);
    if (context === null) throw new NftError('other', 'nft_ctx_new failed: no netlink socket or no memory');
    this.#context = context;
    library.nft_ctx_buffer_output(context);
    library.nft_ctx_buffer_error(context);
    const opened = [...socketInodes('self')].filter(([inode]) => !before.has(inode));
    this.#inodes = opened.map(([inode]) => inode);
    // libmnl opens its socket without SOCK_CLOEXEC: a child that inherited it would keep an owner table locked.
    for (const [, descriptor] of opened) library.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }

  static async open(): Promise<LibnftablesNft> {
    return new LibnftablesNft(await loadLibrary());
  }

  /** The kernel gives the socket its id when it is first used. */
  get portId(): number | undefined {
    this.#portId ??= portIdAmong('self', this.#inodes);
    return this.#portId;
  }

  async apply(script: NftScript): Promise<void> {
    this.#run(script);
  }

  async check(script: NftScript): Promise<void> {
    this.#library.nft_ctx_set_dry_run(this.#open(), true);
    try {
      this.#run(script);
    } finally {
      this.#library.nft_ctx_set_dry_run(this.#open(), false);
    }
  }

  async list(script: NftScript): Promise<readonly unknown[]> {
    if (listsTables(script)) return tablesOfText(this.#run(script));
    this.#library.nft_ctx_output_set_flags(this.#open(), outputJson);
    try {
      return parseListing(this.#run(script));
    } finally {
      this.#library.nft_ctx_output_set_flags(this.#open(), 0);
    }
  }

  /** Never: the socket lives as long as this process. */
  onLost(): void {}

  async close(): Promise<void> {
    if (this.#context === undefined) return;
    this.#library.nft_ctx_free(this.#context);
    this.#context = undefined;
  }

  #open(): unknown {
    if (this.#context === undefined) throw new NftError('died', 'the nft context is closed');
    return this.#context;
  }

  /** Gives what was printed; both buffers are empty for the next call once they have been read. */
  #run(script: NftScript): string {
    const context = this.#open();
    if (script.empty) return '';
    const code = this.#library.nft_run_cmd_from_buffer(context, Buffer.from(`${script.line}\0`));
    const output = this.#library.nft_ctx_get_output_buffer(context) ?? '';
    const complaint = this.#library.nft_ctx_get_error_buffer(context) ?? '';
    if (code !== 0) throw nftErrorFrom(complaint);
    return output;
  }
}
