/** A numeric address with a port, as people write it (pure). */
import { isIP, isIPv6 } from 'node:net';

/** `192.0.2.1:443`, `[2001:db8::1]:443`; undefined: it is none. */
export function readHostPort(text: string): { readonly address: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (isIP(address) === 0 || (match?.[1] !== undefined) !== isIPv6(address) || port < 1 || port > 65_535)
    return undefined;
  return { address, port };
}
