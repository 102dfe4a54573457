/** Where the server listens, as the configuration has it (pure). */
import { isIP } from 'node:net';

/** `[::]:5533`, `192.0.2.1:5533`. */
export function readBind(text: string): { readonly address: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const family = isIP(address);
  const bracketed = match?.[1] !== undefined;
  return family === 0 || bracketed !== (family === 6) || port > 65_535 ? undefined : { address, port };
}
