/** Real adapters for dnstest. */
import { NetstewardError } from '../core/errors.ts';
import { readKeyFile } from '../dnstest/key-file.ts';
import type { DnsListeners } from '../system/dns-listen-ports.ts';
import { sdNotifier } from '../system/linux/sd-notify.ts';
import type { Notifier } from '../system/ports.ts';
import { addressOfHost } from './compose-dyndns.ts';

export async function composeDnsListeners(): Promise<DnsListeners> {
  return new (await import('../system/linux/dns-listen.ts')).LinuxDnsListeners();
}

/** The key of a command line: as typed, or from a file. Rejects with NetstewardError `usage`, `dnstest-key-file`, `dnstest-key`. */
export async function hashKeyOf(options: {
  readonly hashKey?: string;
  readonly hashKeyFile?: string;
}): Promise<string> {
  const { hashKey = '', hashKeyFile } = options;
  if (hashKeyFile === undefined) return hashKey;
  if (hashKey !== '') {
    const remedy = 'Leave one of them out.';
    throw new NetstewardError('usage', '--hash-key and --hash-key-file are two keys', { remedy });
  }
  const { LinuxFiles } = await import('../system/linux/files.ts');
  return readKeyFile(hashKeyFile, new LinuxFiles());
}

export function composeDnstestNotifier(): Notifier {
  return sdNotifier(process.env);
}

/** Rejects with NetstewardError `host-unknown`. */
export function hostAddress(host: string): Promise<string> {
  return addressOfHost(host, 0);
}
