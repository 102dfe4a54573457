/** Attributes of netlink messages (netlink(7), linux/netlink.h): type and length in host order, content, padding to four bytes (pure). */

export const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const align = (length: number): number => (length + 3) & ~3;
/** NLA_TYPE_MASK: without the flags for nested and for network order. */
const typeMask = 0x3fff;

export function attribute(type: number, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align(4 + content.length));
  if (littleEndian) {
    bytes.writeUInt16LE(4 + content.length, 0);
    bytes.writeUInt16LE(type, 2);
  } else {
    bytes.writeUInt16BE(4 + content.length, 0);
    bytes.writeUInt16BE(type, 2);
  }
  bytes.set(content, 4);
  return bytes;
}

function word(bytes: Buffer, at: number): number {
  return littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}

/** Contents of all attributes of a list, whatever their types; what is truncated ends the reading. */
export function contentsOf(list: Buffer | undefined): readonly Buffer[] {
  const found: Buffer[] = [];
  if (list === undefined) return found;
  for (let at = 0; at + 4 <= list.length; ) {
    const length = word(list, at);
    if (length < 4 || at + length > list.length) break;
    found.push(list.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

/** The content of the first attribute of that type. A ruleset has ten thousands of them: nothing is made but what is asked for. */
export function contentOf(bytes: Buffer | undefined, type: number): Buffer | undefined {
  if (bytes === undefined) return undefined;
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = word(bytes, at);
    if (length < 4 || at + length > bytes.length) return undefined;
    if ((word(bytes, at + 2) & typeMask) === type) return bytes.subarray(at + 4, at + length);
    at += align(length);
  }
  return undefined;
}

/** The same at this path of types, each inside the one before. */
export function contentAt(bytes: Buffer | undefined, path: readonly number[]): Buffer | undefined {
  let content = bytes;
  for (const type of path) content = contentOf(content, type);
  return content;
}

/** Up to the first NUL; the bytes of names are ASCII. */
export function textOf(content: Buffer | undefined): string | undefined {
  if (content === undefined) return undefined;
  const end = content.indexOf(0);
  return content.toString('latin1', 0, end < 0 ? content.length : end);
}
