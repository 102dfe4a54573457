/** Real adapters for the checks of resolvers. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import type { ProberPorts } from '../dnstest/prober.ts';
import type { Commands } from '../system/ports.ts';

export interface DnsCheckPorts extends ProberPorts {
  /** For fping. */
  readonly commands: Commands;
}

/** `caFile`: PEM certificates that are trusted beside the system's. They are read with the first question over TLS. */
export async function composeDnsCheck(caFile?: string): Promise<DnsCheckPorts> {
  const [{ LinuxDnsTransport }, { LibcLookup }, { LinuxCommands }, { TrustStore }] = await Promise.all([
    import('../system/linux/dns-client.ts'),
    import('../system/linux/dns-client-libc.ts'),
    import('../system/linux/commands.ts'),
    import('../system/linux/trust-store.ts'),
  ]);
  const clock = systemClock;
  let trust: InstanceType<typeof TrustStore> | undefined;
  return {
    clock,
    random: randomBytes,
    dns: new LinuxDnsTransport(clock, () => {
      trust ??= new TrustStore(caFile === undefined ? {} : { caFile }, clock);
      return trust;
    }),
    libc: new LibcLookup(clock),
    commands: new LinuxCommands(clock),
  };
}
