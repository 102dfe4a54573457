/** Real adapters for the checks of resolvers. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import type { ProberPorts } from '../dnstest/prober.ts';
import type { DnsTransport } from '../system/dns-client-ports.ts';
import type { Commands } from '../system/ports.ts';

export interface DnsCheckPorts extends ProberPorts {
  /** For fping. */
  readonly commands: Commands;
}

/** `caFile`: PEM certificates that are trusted beside the system's. They are read with the first question over TLS. */
export async function composeDnsCheck(caFile?: string): Promise<DnsCheckPorts> {
  const [{ LinuxDnsTransport }, { LibcLookup }, { LinuxCommands }] = await Promise.all([
    import('../system/linux/dns-client.ts'),
    import('../system/linux/dns-client-libc.ts'),
    import('../system/linux/commands.ts'),
  ]);
  const clock = systemClock;
  const plain = new LinuxDnsTransport(clock, () => {
    throw new TypeError('UDP and TCP trust nobody');
  });
  // Node's TLS is loaded with the first question that goes over it.
  let secure: Promise<DnsTransport> | undefined;
  const openSecure = async (): Promise<DnsTransport> => {
    const { TrustStore } = await import('../system/linux/trust-store.ts');
    let trust: InstanceType<typeof TrustStore> | undefined;
    return new LinuxDnsTransport(clock, () => {
      trust ??= new TrustStore(caFile === undefined ? {} : { caFile }, clock);
      return trust;
    });
  };
  return {
    clock,
    random: randomBytes,
    dns: {
      async exchange(server, question, signal) {
        if (server.protocol === 'udp' || server.protocol === 'tcp') return plain.exchange(server, question, signal);
        secure ??= openSecure();
        return (await secure).exchange(server, question, signal);
      },
    },
    libc: new LibcLookup(clock),
    commands: new LinuxCommands(clock),
  };
}
