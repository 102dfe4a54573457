/** Where a page can listen: a unix socket, or an address with a port (pure). */
import { isIP } from 'node:net';

export type Binding =
  | { readonly kind: 'unix'; readonly path: string }
  /** `address`: IPv4, or IPv6 without brackets. Port 0: one that is free. */
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number };

/** sun_path of unix(7) holds 108 bytes with the closing NUL; the socket is made inside a folder of a short name first (listen.ts). */
export const longestPath = 95;

export function parseBinding(text: string): Binding | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    const fits = path.startsWith('/') && !path.endsWith('/') && !path.includes('\0');
    return fits && Buffer.byteLength(path) <= longestPath ? { kind: 'unix', path } : undefined;
  }
  const match = /^(?:(?<four>[\d.]+)|\[(?<six>[\da-fA-F:.]+)\]):(?<port>\d{1,5})$/.exec(text);
  const { four, six, port } = match?.groups ?? {};
  const address = four ?? six ?? '';
  if (isIP(address) !== (four === undefined ? 6 : 4) || Number(port) > 65_535) return undefined;
  return { kind: 'tcp', address, port: Number(port) };
}

/** As it stands in the configuration. */
export function bindingText(binding: Binding): string {
  if (binding.kind === 'unix') return `unix:${binding.path}`;
  const { address, port } = binding;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Nobody but this machine reaches it. */
export function isLocal(binding: Binding): boolean {
  return binding.kind === 'unix' || /^127\.|^::1$|^(?:0+:){7}0*1$/.test(binding.address);
}
