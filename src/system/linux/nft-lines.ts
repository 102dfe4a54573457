/** Cuts a byte stream into lines, none longer than a bound (pure). */

export class BoundedLines {
  readonly #most: number;
  #parts: Buffer[] = [];
  #length = 0;

  /** `most`: bytes of the longest line, its end not counted. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The lines that are complete now; 'too-long' when one passed the bound (what follows cannot be told apart any more). */
  add(bytes: Buffer): readonly string[] | 'too-long' {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      if (!this.#keep(bytes.subarray(start, end))) return 'too-long';
      lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
    }
    return this.#keep(bytes.subarray(start)) ? lines : 'too-long';
  }

  /** Bytes of the line that has no end yet. */
  get pending(): number {
    return this.#length;
  }

  #keep(part: Buffer): boolean {
    if (part.length > 0) {
      this.#length += part.length;
      this.#parts.push(part);
    }
    return this.#length <= this.#most;
  }
}
