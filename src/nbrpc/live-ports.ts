/** Opens and closes the ports that depend on the configuration, all of them or none. */
import { NetstewardError } from '../core/errors.ts';
import { describeFileFailure } from '../core/file-failure.ts';
import type { DnsTransport } from '../system/dns-client-ports.ts';
import type { AddressSets, HttpProbe, Resolver } from '../system/ports.ts';
import type { NbrpcConfig } from './config.ts';
import type { Closable, NbrpcHost } from './ports.ts';
import { sinkOf } from './sink-of.ts';

export interface LivePorts {
  readonly resolver: Closable<Resolver>;
  readonly probe: Closable<HttpProbe>;
  /** Holds nothing open. */
  readonly dns: DnsTransport;
  readonly sets: AddressSets;
}

/** `sets`: those that stay open across a reload. Rejects with nothing left open. */
export async function openPorts(host: NbrpcHost, config: NbrpcConfig, sets?: AddressSets): Promise<LivePorts> {
  const { ca_file: caFile } = config.check;
  const ca = caFile === undefined ? undefined : await readCa(host, caFile);
  const sink = sinkOf(config);
  const sourcePorts = sink.kind === 'table' ? sink.table.exempt_source_ports : defaultSourcePorts;
  const resolver = await host.openResolver({ servers: config.resolver.servers });
  let probe: Closable<HttpProbe> | undefined;
  try {
    probe = await host.openProbe({ ca, sourcePorts });
    const dns = host.openDns({ ca });
    return { resolver, probe, dns, sets: sets ?? (await host.openSets(sink, config.on_stop)) };
  } catch (error) {
    await probe?.close?.();
    await resolver.close?.();
    throw error;
  }
}

/** What nftables.example.conf leaves alone, as the own table does by default. */
const defaultSourcePorts = { first: 61_000, last: 64_999 } as const;

/** `none`: the sets stay open. */
export async function closePorts(ports: LivePorts, sets: 'keep' | 'flush' | 'none'): Promise<void> {
  await ports.probe.close?.();
  await ports.resolver.close?.();
  if (sets !== 'none') await ports.sets.close(sets);
}

async function readCa(host: NbrpcHost, path: string): Promise<Buffer> {
  try {
    const pem = await host.files.read(path);
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  } catch (error) {
    throw new NetstewardError('ca-file-unreadable', `${path} cannot be read: ${describeFileFailure(error)}`, {
      remedy: 'Mend nbrpc.check.ca_file or the permissions of the file.',
      cause: error,
    });
  }
  throw new NetstewardError('ca-file-empty', `${path} has no PEM certificate`, {
    remedy: 'Name a file with "-----BEGIN CERTIFICATE-----" blocks in nbrpc.check.ca_file.',
  });
}
