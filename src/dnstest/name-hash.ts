/** The address that a name of the test zone must have: BLAKE2s of the name, with a key that the zone's server and its checkers share. */
import { endianness } from 'node:os';
import { _BLAKE2s, type Blake2Opts } from '@noble/hashes/blake2.js';
import { Address6 } from 'ip-address';
import { NetstewardError } from '../core/errors.ts';

/** Of a key, and of a digest (RFC 7693 §2.1: BLAKE2s takes 32 bytes at most for both). */
export const digestLength = 32;

/** Padded with a zero to the 8 bytes of BLAKE2s' parameter block. */
const personalization = Uint8Array.from([...Buffer.from('dnstd.1'), 0]);

/**
 * A BLAKE2s state with the key in it. The key is a block of its own before the message (RFC 7693 §2.9), and the library puts a
 * block off until it sees that it is not the last one: for each name anew, which costs as much as the name itself.
 */
class KeyedState extends _BLAKE2s {
  /** Compresses the key's block now; the message must not be empty then. */
  absorbKey(): void {
    // The library swaps the bytes of a block around this where it must.
    if (endianness() !== 'LE' || this.pos !== this.blockLen) return;
    this.compress(this.buffer32, 0, false);
    this.pos = 0;
  }
}

export class NameHash {
  readonly #keyed: KeyedState;
  /** For the root, whose name has no bytes: the key's block is the last one. */
  readonly #keyedForEmpty: KeyedState;
  /** Overwritten by the keyed state for each name: keying anew, or a new object, would cost as much as the hash. */
  readonly #state: KeyedState;

  /** `key`: as typed; UTF-8 is hashed. Throws NetstewardError `dnstest-key` for more than 32 bytes. */
  constructor(key: string) {
    const bytes = Buffer.from(key, 'utf8');
    if (bytes.length > digestLength) {
      throw new NetstewardError(
        'dnstest-key',
        `the hash key has ${bytes.length} bytes, and ${digestLength} are the most`,
        {
          remedy: 'Take a shorter key, the same for the server and for all that check.',
        },
      );
    }
    const options: Blake2Opts = {
      dkLen: digestLength,
      personalization,
      // RFC 7693 knows no key of no bytes: that is the hash without a key.
      ...(bytes.length === 0 ? {} : { key: Uint8Array.from(bytes) }),
    };
    this.#keyed = new KeyedState(options);
    this.#keyed.absorbKey();
    this.#keyedForEmpty = new KeyedState(options);
    this.#state = new KeyedState(options);
  }

  /**
   * 32 bytes: the bare hash of just these bytes, in whatever case they are. `name`: labels with dots between them, none at
   * the end; a string counts as UTF-8.
   */
  digest(name: string | Uint8Array): Uint8Array {
    const out = new Uint8Array(digestLength);
    this.digestInto(typeof name === 'string' ? Uint8Array.from(Buffer.from(name, 'utf8')) : name, out);
    return out;
  }

  /** The same into `out`, which has 32 bytes that begin at a multiple of four in its buffer. */
  digestInto(name: Uint8Array, out: Uint8Array): void {
    const keyed = name.length === 0 ? this.#keyedForEmpty : this.#keyed;
    keyed._cloneInto(this.#state).update(name).digestInto(out);
  }

  /** The address that the name must have, in canonical text. `name` in any case, with or without a dot at its end. */
  address(name: string, family: 4 | 6): string {
    const digest = this.digest(lowerCased(name.endsWith('.') ? name.slice(0, -1) : name));
    return family === 4 ? digest.subarray(0, 4).join('.') : canonical(digest.subarray(0, 16));
  }
}

/** ASCII alone: DNS compares nothing else without case (RFC 4343 §3). */
function lowerCased(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function canonical(bytes: Uint8Array): string {
  return Address6.fromByteArray([...bytes]).correctForm();
}
