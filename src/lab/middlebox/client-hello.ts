/** The server name in a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), from bytes that may still be incomplete (pure). */

export type Hello =
  | { readonly kind: 'incomplete' }
  /** Not TLS, or nothing that a server would understand. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'hello'; readonly serverName: string | undefined };

const incomplete: Hello = { kind: 'incomplete' };
const foreign: Hello = { kind: 'foreign' };

/** More than any real ClientHello has, post-quantum key shares included. */
const longestHello = 64 * 1024;

/** Reads the first flight of a client. Never throws. */
export function readClientHello(bytes: Buffer): Hello {
  const handshake: Buffer[] = [];
  let have = 0;
  // The handshake message may be spread over several records (RFC 8446 §5.1).
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 22) return foreign;
    if (bytes.length < at + 5) break;
    if (bytes[at + 1] !== 3) return foreign;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_640) return foreign;
    const part = bytes.subarray(at + 5, at + 5 + length);
    handshake.push(part);
    have += part.length;
    at += 5 + length;
    if (have > longestHello) return foreign;
  }
  const message = Buffer.concat(handshake);
  if (message.length > 0 && message[0] !== 1) return foreign;
  if (message.length < 4) return incomplete;
  const length = message.readUIntBE(1, 3);
  if (length > longestHello) return foreign;
  if (message.length < 4 + length) return incomplete;
  return readBody(message.subarray(4, 4 + length));
}

function readBody(body: Buffer): Hello {
  // legacy_version and random, then three vectors: session id, cipher suites, compression methods.
  let at = 34;
  for (const width of [1, 2, 1]) {
    if (body.length < at + width) return foreign;
    at += width + body.readUIntBE(at, width);
  }
  if (at === body.length) return { kind: 'hello', serverName: undefined };
  if (body.length < at + 2) return foreign;
  const end = at + 2 + body.readUInt16BE(at);
  if (end > body.length) return foreign;
  for (at += 2; at + 4 <= end; ) {
    const type = body.readUInt16BE(at);
    const length = body.readUInt16BE(at + 2);
    if (at + 4 + length > end) return foreign;
    if (type === 0) return serverNameOf(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { kind: 'hello', serverName: undefined };
}

function serverNameOf(extension: Buffer): Hello {
  // ServerNameList of one host_name (type 0).
  if (extension.length < 5 || extension[2] !== 0) return foreign;
  const length = extension.readUInt16BE(3);
  if (extension.length < 5 + length) return foreign;
  return { kind: 'hello', serverName: extension.toString('latin1', 5, 5 + length).toLowerCase() };
}

/** The Host of an HTTP/1 request whose head may still be incomplete (pure). */
export function readRequestHost(bytes: Buffer): Hello {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length > longestHello ? foreign : incomplete;
  const host = /\r\nhost:[ \t]*([^\r\n]*?)[ \t]*(?:\r\n|$)/i.exec(bytes.toString('latin1', 0, end));
  return { kind: 'hello', serverName: host?.[1]?.replace(/:\d*$/, '').toLowerCase() };
}
