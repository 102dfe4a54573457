/** Addresses as the lab writes them: canonical text, IPv6 compressed and in lower case (RFC 5952). */
import { isIPv4, isIPv6 } from 'node:net';

/** Canonical text, or undefined when it is no address. An IPv4 address inside IPv6 (`::ffff:1.2.3.4`) becomes IPv4. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  if (mapped?.[1] !== undefined) return mapped[1];
  // The WHATWG URL serialiser writes the compressed form.
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** A host name in the lab's spelling: lower case, no dot at its end; undefined when it is none (RFC 1123, underscores allowed). */
export function canonicalName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '');
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
  if (name.length === 0 || name.length > 253 || !name.split('.').every((part) => label.test(part))) return undefined;
  return name;
}
