/** The one place that makes real adapters and gives them to the modules. */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { HostFacts, HostNeeds } from '../core/host-facts.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleName } from '../core/module.ts';
import type { NbrpcConfig, NbrpcHost, Sink } from '../nbrpc/index.ts';
import { type BoundModule, bindModule, type ModuleRegistry } from '../supervisor/bound-module.ts';
import type { Configuration } from '../supervisor/config.ts';
import { readRegularFile } from '../system/linux/files.ts';
import { readHostFacts } from '../system/linux/host-facts.ts';
import type { AgentConfig } from '../system/linux/nft-agent-protocol.ts';
import { sdNotifier, watchdogInterval } from '../system/linux/sd-notify.ts';
import type { HttpProbe, Notifier, Resolver } from '../system/ports.ts';
import { countingOnFolders, makingFolders } from './state-folder.ts';

export const readText = async (path: string): Promise<string> => (await readRegularFile(path)).toString('utf8');

/** The modules that this version has. `log` is what their ports and they themselves write to. */
export function composeRegistry(log: Logger): ModuleRegistry {
  return new Map<ModuleName, () => Promise<BoundModule>>([['nbrpc', () => bindNbrpc(log)]]);
}

async function bindNbrpc(log: Logger): Promise<BoundModule> {
  const { nbrpcModule, nbrpcPaths } = await import('../nbrpc/index.ts');
  return bindModule({
    definition: nbrpcModule,
    paths: nbrpcPaths,
    host: (config) => nbrpcHost(config, log.child({ module: 'nbrpc' })),
    preflightHost: async () => ({
      files: countingOnFolders(new (await import('../system/linux/files.ts')).LinuxFiles()),
    }),
  });
}

async function nbrpcHost(config: NbrpcConfig, log: Logger): Promise<NbrpcHost> {
  const [{ LinuxFiles }, { SqliteStore }, { openResolver }, { LinuxHttpProbe }, { TrustStore }, agent] =
    await Promise.all([
      import('../system/linux/files.ts'),
      import('../system/linux/sqlite.ts'),
      import('../system/linux/resolver.ts'),
      import('../system/linux/http-probe.ts'),
      import('../system/linux/trust-store.ts'),
      import('../system/linux/nft-agent-client.ts'),
    ]);
  const { LinkState } = await import('../system/linux/link-state.ts');
  const { LinuxOutputFiles } = await import('../system/linux/atomic-file.ts');
  const { LinuxCommands } = await import('../system/linux/commands.ts');
  const { spawnedAgent } = await import('../system/linux/nft-agent-channel.ts');
  const clock = systemClock;
  return {
    clock,
    log,
    files: new LinuxFiles(),
    store: makingFolders(new SqliteStore()),
    uplink: new LinkState(),
    output: new LinuxOutputFiles(),
    commands: new LinuxCommands(clock),
    openResolver: ({ servers }) => openResolver(clock, servers),
    openProbe: ({ ca, sourcePorts }) => {
      const trust = new TrustStore(ca === undefined ? {} : { ca }, clock, (error) =>
        log.warn('trust-store-unusable', { reason: describeError(error) }),
      );
      const ports = sourcePorts === undefined ? {} : { sourcePorts };
      return new LinuxHttpProbe({ clock, trust, ...ports });
    },
    openSets: (sink) =>
      new agent.NftAgentClient({
        open: spawnedAgent([process.execPath, mainJs, 'nft-agent', '--supervised']),
        config: agentConfig(sink),
        onStop: config.on_stop,
        clock,
        log,
      }),
  };
}

/** The entry of this build: nft-agent is the same program as a child process. */
const mainJs = fileURLToPath(new URL('../main.js', import.meta.url));

/** What nft-agent may touch for this configuration: the own table, or just the named sets. */
function agentConfig(sink: Sink): AgentConfig {
  if (sink.kind === 'table') {
    const { name, mark, mask, mark_forwarded, mark_own, exempt_source_ports, exempt_uid } = sink.table;
    return {
      kind: 'own',
      name,
      mark,
      mask,
      markForwarded: mark_forwarded,
      markOwn: mark_own,
      exemptSourcePorts: { from: exempt_source_ports.first, to: exempt_source_ports.last },
      exemptUid: exempt_uid,
      // nbrpc itself leaves out the addresses of its resolvers: which these are may change by a reload.
      never: [],
    };
  }
  const { family, table } = sink.sets;
  return { kind: 'foreign', family, table, sets: foreignSets(sink) };
}

function foreignSets(
  sink: Extract<Sink, { kind: 'sets' }>,
): readonly { name: string; type: 'ipv4_addr' | 'ipv6_addr' }[] {
  const { blocked4, blocked6, direct4, direct6 } = sink.sets;
  return [
    ...[blocked4, direct4].map((name) => ({ name, type: 'ipv4_addr' as const })),
    ...[blocked6, direct6].map((name) => ({ name, type: 'ipv6_addr' as const })),
  ].flatMap(({ name, type }) => (name === undefined ? [] : [{ name, type }]));
}

export interface ServicePorts {
  readonly notifier: Notifier;
  readonly watchdogInterval: number | undefined;
}

export function composeServicePorts(env: NodeJS.ProcessEnv, pid: number): ServicePorts {
  return { notifier: sdNotifier(env), watchdogInterval: watchdogInterval(env, pid) };
}

export function composeHostFacts(): Promise<HostFacts> {
  return readHostFacts();
}

/** What the configured modules count on of the machine, beyond what they look at themselves. */
export async function hostNeeds(configuration: Configuration): Promise<HostNeeds> {
  const nbrpc = configuration.modules.get('nbrpc');
  if (nbrpc === undefined) return { sets: [], ownTables: [] };
  const { sinkOf } = await import('../nbrpc/index.ts');
  const config = nbrpc.config as NbrpcConfig;
  const { on_stop: onStop } = config;
  const sink = sinkOf(config);
  if (sink.kind === 'table') {
    const { name, mark, mask, mark_forwarded, mark_own, exempt_source_ports } = sink.table;
    const marks = mark_forwarded || mark_own ? { mark, mask } : undefined;
    const exemptPorts = mark_own ? exempt_source_ports : undefined;
    return { sets: [], ownTables: [{ family: 'inet', name, onStop, marks, exemptPorts }] };
  }
  const { family, table } = sink.sets;
  return { sets: foreignSets(sink).map((set) => ({ ...set, family, table, onStop })), ownTables: [] };
}

/** What every run of the drop-in `netsteward nbrpc` needs. */
export async function composeNbrpcPorts(): Promise<Pick<NbrpcHost, 'clock' | 'files' | 'store'>> {
  const [{ LinuxFiles }, { SqliteStore }] = await Promise.all([
    import('../system/linux/files.ts'),
    import('../system/linux/sqlite.ts'),
  ]);
  return { clock: systemClock, files: new LinuxFiles(), store: new SqliteStore() };
}

/** Its way to the network: the system's resolver and certificates. */
export async function composeNbrpcNetwork(): Promise<{ readonly resolver: Resolver; readonly probe: HttpProbe }> {
  const [{ openResolver }, { LinuxHttpProbe }, { TrustStore }] = await Promise.all([
    import('../system/linux/resolver.ts'),
    import('../system/linux/http-probe.ts'),
    import('../system/linux/trust-store.ts'),
  ]);
  const trust = new TrustStore({}, systemClock, () => {});
  return { resolver: openResolver(systemClock), probe: new LinuxHttpProbe({ clock: systemClock, trust }) };
}
