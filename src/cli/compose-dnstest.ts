/** Real adapters for dnstest. */
import type { DnsListeners } from '../system/dns-listen-ports.ts';
import { sdNotifier } from '../system/linux/sd-notify.ts';
import type { Notifier } from '../system/ports.ts';
import { addressOfHost } from './compose-dyndns.ts';

export async function composeDnsListeners(): Promise<DnsListeners> {
  return new (await import('../system/linux/dns-listen.ts')).LinuxDnsListeners();
}

export function composeDnstestNotifier(): Notifier {
  return sdNotifier(process.env);
}

/** Rejects with NetstewardError `host-unknown`. */
export function hostAddress(host: string): Promise<string> {
  return addressOfHost(host, 0);
}
