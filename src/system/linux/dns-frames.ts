/** DNS over a stream: messages with their length before them (RFC 1035 §4.2.2; RFC 7766 §8). */

/** Puts chunks of one stream together; holds no more than one message that is not whole yet. */
export class DnsFrames {
  #chunks: Buffer[] = [];
  #held = 0;

  /** Calls `message` for each message that is whole now. */
  push(chunk: Buffer, message: (bytes: Buffer) => void): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    // Put together only when something will come of it: a message in many small pieces is copied once.
    if (this.#held < 2 || this.#held < this.#wanted()) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    let at = 0;
    while (at + 2 <= bytes.length) {
      const end = at + 2 + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      message(bytes.subarray(at + 2, end));
      at = end;
    }
    this.#held = bytes.length - at;
    this.#chunks = this.#held === 0 ? [] : [bytes.subarray(at)];
  }

  /** Bytes of the next message and its length, as far as known. */
  #wanted(): number {
    const [first, second] = this.#chunks;
    const high = first?.[0] ?? 0;
    const low = first !== undefined && first.length > 1 ? first[1] : second?.[0];
    return 2 + high * 256 + (low ?? 0);
  }
}

/** The message with its length before it, to be written at once (RFC 7766 §8). */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + message.length);
  frame.writeUInt16BE(message.length);
  frame.set(message, 2);
  return frame;
}
