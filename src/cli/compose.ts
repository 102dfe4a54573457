/** The one place that makes real adapters and gives them to the modules. */
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { CgroupNftConfig } from '../cgroup-nft/index.ts';
import { systemClock } from '../core/clock.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { HostFacts, HostNeeds } from '../core/host-facts.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleName } from '../core/module.ts';
import type { NbrpcConfig, NbrpcHost, Sink } from '../nbrpc/index.ts';
import { type BoundModule, bindModule, type ModuleRegistry } from '../supervisor/bound-module.ts';
import type { Configuration } from '../supervisor/config.ts';
import type { ModuleLink, OpenCarrier } from '../system/carrier.ts';
import type { AgentConfig } from '../system/linux/nft-agent-protocol.ts';
import type { HttpProbe, Notifier, Resolver } from '../system/ports.ts';
import { countingOnFolders, makingFolders } from './state-folder.ts';
import { packageVersion } from './version.ts';

export async function readText(path: string): Promise<string> {
  const { readRegularFile } = await import('../system/linux/files.ts');
  return (await readRegularFile(path)).toString('utf8');
}

/** Where a module runs, with limits in MB and milliseconds; `hangLimit` is for one that may work long without a pause. */
type Place =
  /** A worker thread: cheap; running out of memory ends it alone. */
  | {
      readonly kind: 'thread';
      readonly heapLimit: number;
      readonly youngLimit: number;
      readonly hangLimit?: number;
      /** -20 (first) to 19 (last) among the threads of this program, as far as it may have it. */
      readonly nice: number;
    }
  /** A child process: nothing that happens to other modules can delay it. */
  | { readonly kind: 'process'; readonly heapLimit?: number; readonly hangLimit?: number };

interface Registered {
  /** Loads the module and makes its ports, in whatever thread or process it is called. */
  readonly bind: (log: Logger) => Promise<BoundModule>;
  readonly place: Place;
}

/** The modules that this version has, one line each. */
const modules: ReadonlyMap<ModuleName, Registered> = new Map([
  // SQLite waits up to a minute for others, and the thread with it (system/linux/sqlite.ts).
  // Its lists may have 50 000 hosts with 18 addresses each: 370 MB; some hundred services take 20.
  ['nbrpc', { bind: bindNbrpc, place: { kind: 'thread', heapLimit: 768, youngLimit: 8, hangLimit: 90_000, nice: 5 } }],
  // Its priority is a key of its configuration.
  ['cgroup-nft', { bind: bindCgroupNft, place: { kind: 'process' } }],
  // A socket that is read late loses packets. What strangers can make it do is bounded (dyndns/check-budget.ts).
  ['dyndns', { bind: bindDyndns, place: { kind: 'thread', heapLimit: 256, youngLimit: 8, nice: -5 } }],
  ['dnstest', { bind: bindDnstest, place: { kind: 'thread', heapLimit: 128, youngLimit: 8, nice: 5 } }],
  // A month of 1000 hosts takes 40.
  ['page', { bind: bindPage, place: { kind: 'thread', heapLimit: 128, youngLimit: 2, nice: 5 } }],
]);

/** For the supervisor: parse and preflight work here, start() runs the module in its place. `log` is what they write to. */
export function composeRegistry(log: Logger): ModuleRegistry {
  const version = packageVersion();
  return new Map(
    [...modules].map(([name, { bind, place }]) => [
      name,
      async () => ({
        ...(await bind(log)),
        start: async (config, signal, toldStuck) => {
          const { startRemote } = await import('../supervisor/remote-module.ts');
          const open = await openPlace(name, place);
          // An answer wakes two threads; under systemd its STATUS is made of them.
          const pingInterval = process.env.NOTIFY_SOCKET ? 10_000 : 30_000;
          const { hangLimit = 30_000 } = place;
          const options = { name, open, clock: systemClock, log, version, pingInterval, hangLimit };
          return startRemote(options, config, signal, toldStuck);
        },
      }),
    ]),
  );
}

async function openPlace(name: ModuleName, place: Place): Promise<OpenCarrier> {
  const program = { entry: fileURLToPath(new URL('./module-entry.js', import.meta.url)), args: [name] };
  if (place.kind === 'process') {
    return (await import('../system/linux/module-process.ts')).processCarrier({ ...program, ...place });
  }
  return (await import('../system/linux/module-worker.ts')).workerCarrier({ ...program, ...place });
}

/** What cli/module-entry.ts is made of: the inside of a module's process or thread. */
export interface ModuleSide {
  readonly link: ModuleLink;
  readonly bind: (log: Logger) => Promise<BoundModule>;
}

/** Throws NetstewardError `usage` where no supervisor has started this program. */
export async function composeModuleSide(wanted: string | undefined): Promise<ModuleSide> {
  const found = [...modules].find(([name]) => name === wanted);
  if (found === undefined) throw new NetstewardError('usage', 'this program is started by `netsteward run` alone');
  const [, { bind, place }] = found;
  const link =
    place.kind === 'process'
      ? (await import('../system/linux/module-process.ts')).processLink(place.heapLimit)
      : (await import('../system/linux/module-worker.ts')).workerLink();
  if (place.kind === 'thread') await (await import('../system/linux/thread-priority.ts')).setThreadNice(place.nice);
  const { giveBackMemory, giveBackSoon } = await import('../system/linux/spare-memory.ts');
  return {
    link,
    bind: async (log) => {
      const bound = await bind(log);
      return {
        ...bound,
        async start(config, signal) {
          const running = await bound.start(config, signal);
          // A process of its own has what nothing may delay: not once it has said that it is ready.
          if (place.kind === 'process') await giveBackMemory();
          else giveBackSoon();
          return running;
        },
      };
    },
  };
}

async function bindCgroupNft(log: Logger): Promise<BoundModule> {
  return (await import('./compose-cgroup-nft.ts')).bindCgroupNft(log);
}

async function bindDyndns(log: Logger): Promise<BoundModule> {
  return (await import('./compose-dyndns.ts')).bindDyndns(log);
}

async function bindDnstest(log: Logger): Promise<BoundModule> {
  return (await import('./compose-dnstest-watch.ts')).bindDnstest(log);
}

async function bindPage(log: Logger): Promise<BoundModule> {
  return (await import('./compose-page.ts')).bindPage(log);
}

async function bindNbrpc(log: Logger): Promise<BoundModule> {
  const { nbrpcModule, nbrpcPaths } = await import('../nbrpc/index.ts');
  return bindModule({
    definition: nbrpcModule,
    paths: nbrpcPaths,
    host: () => nbrpcHost(log.child({ module: 'nbrpc' })),
    preflightHost: async () => ({
      files: countingOnFolders(new (await import('../system/linux/files.ts')).LinuxFiles()),
      version: packageVersion(),
      lookAtAgent: async (socket, sink) => {
        const { lookAtAgent } = await import('../system/linux/nft-agent-look.ts');
        return lookAtAgent(socket, agentConfig(sink), systemClock);
      },
    }),
  });
}

async function nbrpcHost(log: Logger): Promise<NbrpcHost> {
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
  const { connectedAgent } = await import('../system/linux/nft-agent-connect.ts');
  const { LinuxDnsTransport } = await import('../system/linux/dns-client.ts');
  const clock = systemClock;
  const trustOf = (ca: Buffer | undefined): InstanceType<typeof TrustStore> =>
    new TrustStore(ca === undefined ? {} : { ca }, clock, (error) =>
      log.warn('trust-store-unusable', { reason: describeError(error) }),
    );
  return {
    clock,
    log,
    files: new LinuxFiles(),
    store: makingFolders(new SqliteStore()),
    uplink: new LinkState(),
    output: new LinuxOutputFiles(),
    commands: new LinuxCommands(clock),
    resolverWord: new (await import('../system/linux/resolver-word-hearer.ts')).BroadcastHearer(clock),
    openResolver: ({ servers }) => openResolver(clock, servers),
    openProbe: ({ ca, sourcePorts }) => {
      const trust = trustOf(ca);
      const ports = sourcePorts === undefined ? {} : { sourcePorts };
      return new LinuxHttpProbe({ clock, trust, ...ports });
    },
    openDns: ({ ca }) => {
      let trust: InstanceType<typeof TrustStore> | undefined;
      return new LinuxDnsTransport(clock, () => {
        trust ??= trustOf(ca);
        return trust;
      });
    },
    id: () => randomInt(0x1_0000),
    openSets: (sink, onStop) =>
      new agent.NftAgentClient({
        open:
          sink.agent === undefined
            ? spawnedAgent([process.execPath, agentJs, 'nft-agent', '--supervised'])
            : connectedAgent(sink.agent),
        outlives: sink.agent !== undefined,
        config: agentConfig(sink),
        onStop,
        clock,
        log,
      }),
  };
}

/** Of this build. */
const agentJs = fileURLToPath(new URL('./nft-agent-entry.js', import.meta.url));

/** What nft-agent may touch for this configuration: the own table, or just the named sets. */
export function agentConfig(sink: Sink): AgentConfig {
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
      ...(sink.exits === undefined ? {} : { exits: sink.exits.map((exit) => ({ name: exit.name, mark: exit.mark })) }),
      ...(sink.drops === undefined ? {} : { drops: sink.drops }),
      guard: sink.guard,
      ...(sink.inUse === undefined ? {} : { inUse: sink.inUse }),
      ...(sink.dropConnections === undefined ? {} : { dropConnections: sink.dropConnections }),
      // nbrpc itself leaves out the addresses of its resolvers: which these are may change by a reload.
      never: [],
    };
  }
  const { family, table, direct4, direct6, listed4, listed6, seen4, seen6 } = sink.sets;
  const sets = foreignSets(sink);
  const noRoutes = [direct4, direct6, listed4, listed6];
  const routes = sets.map(({ name }) => name).filter((name) => !noRoutes.includes(name));
  return {
    kind: 'foreign',
    family,
    table,
    sets,
    ...(sink.inUse === undefined ? {} : { seen: [seen4, seen6].filter((name) => name !== undefined) }),
    ...(sink.dropConnections === undefined ? {} : { dropConnections: routes }),
  };
}

function foreignSets(
  sink: Extract<Sink, { kind: 'sets' }>,
): readonly { name: string; type: 'ipv4_addr' | 'ipv6_addr' }[] {
  const { blocked4, blocked6, direct4, direct6, drop4, drop6 } = sink.sets;
  const exits = sink.exits?.map(({ sets }) => sets) ?? [{ blocked4, blocked6 }];
  const { listed4, listed6 } = sink.inUse === undefined ? {} : sink.sets;
  const four = [...exits.map((sets) => sets.blocked4), direct4, drop4, listed4];
  const six = [...exits.map((sets) => sets.blocked6), direct6, drop6, listed6];
  return [
    ...four.map((name) => ({ name, type: 'ipv4_addr' as const })),
    ...six.map((name) => ({ name, type: 'ipv6_addr' as const })),
  ].flatMap(({ name, type }) => (name === undefined ? [] : [{ name, type }]));
}

export interface ServicePorts {
  readonly notifier: Notifier;
  readonly watchdogInterval: number | undefined;
}

/** To be called before any thread is started: it sees to the memory of this process, too. */
export async function composeServicePorts(env: NodeJS.ProcessEnv, pid: number): Promise<ServicePorts> {
  const [{ giveBackSoon, limitArenas }, { sdNotifier, watchdogInterval }] = await Promise.all([
    import('../system/linux/spare-memory.ts'),
    import('../system/linux/sd-notify.ts'),
  ]);
  await limitArenas();
  const manager = sdNotifier(env);
  return {
    notifier: {
      notify: (state) => {
        manager.notify(state);
        // At the end of the start and of each reload, which both leave much behind.
        if (state.READY === '1') giveBackSoon();
      },
    },
    watchdogInterval: watchdogInterval(env, pid),
  };
}

export async function composeHostFacts(): Promise<HostFacts> {
  return (await import('../system/linux/host-facts.ts')).readHostFacts();
}

/** What the configured modules count on of the machine, beyond what they look at themselves. */
export async function hostNeeds(configuration: Configuration): Promise<HostNeeds> {
  const nbrpc = configuration.modules.get('nbrpc')?.config as NbrpcConfig | undefined;
  const units = configuration.modules.get('cgroup-nft')?.config as CgroupNftConfig | undefined;
  const { sets, ownTables } = nbrpc === undefined ? noNeeds : await nbrpcNeeds(nbrpc);
  const exits = nbrpc?.exit.map(({ name, source }) => ({ exit: name, sources: source })) ?? [];
  const uses = new Set<'nft' | 'cgroups'>();
  if (nbrpc !== undefined || units !== undefined) uses.add('nft');
  if (units !== undefined) uses.add('cgroups');
  return { uses, sets, ownTables: [...ownTables, ...(units === undefined ? [] : unitNeeds(units))], exits };
}

type SinkNeeds = Pick<HostNeeds, 'sets' | 'ownTables'>;

const noNeeds: SinkNeeds = { sets: [], ownTables: [] };

async function nbrpcNeeds(config: NbrpcConfig): Promise<SinkNeeds> {
  const { sinkOf } = await import('../nbrpc/index.ts');
  const { on_stop: onStop } = config;
  const sink = sinkOf(config);
  if (sink.kind === 'table') {
    const { name, mark, mask, mark_forwarded, mark_own, exempt_source_ports } = sink.table;
    const [first = mark, ...others] = sink.exits?.map((exit) => exit.mark) ?? [];
    const marks = mark_forwarded || mark_own ? { mark: first, mask } : undefined;
    const otherMarks = marks === undefined ? [] : others.map((each) => ({ mark: each, mask }));
    const exemptPorts = mark_own ? exempt_source_ports : undefined;
    const guard = sink.guard === undefined ? {} : { guard: sink.guard };
    return { sets: [], ownTables: [{ family: 'inet', name, onStop, marks, otherMarks, exemptPorts, ...guard }] };
  }
  const { family, table } = sink.sets;
  return { sets: foreignSets(sink).map((set) => ({ ...set, family, table, onStop })), ownTables: [] };
}

function unitNeeds({ group, table, on_stop: onStop }: CgroupNftConfig): HostNeeds['ownTables'] {
  if (group.length === 0) return [];
  return [{ family: 'inet', name: table.name, onStop, marks: undefined, exemptPorts: undefined, use: 'units' }];
}

/** What every run of the drop-in `netsteward nbrpc` needs. */
export async function composeNbrpcPorts(): Promise<Pick<NbrpcHost, 'clock' | 'files' | 'store'>> {
  const [{ LinuxFiles }, { SqliteStore }] = await Promise.all([
    import('../system/linux/files.ts'),
    import('../system/linux/sqlite.ts'),
  ]);
  return { clock: systemClock, files: new LinuxFiles(), store: new SqliteStore() };
}

/** Its way to the network: the system's resolver, certificates and link. */
export async function composeNbrpcNetwork(): Promise<
  Pick<NbrpcHost, 'uplink'> & { resolver: Resolver; probe: HttpProbe }
> {
  const [{ openResolver }, { LinuxHttpProbe }, { TrustStore }, { LinkState }] = await Promise.all([
    import('../system/linux/resolver.ts'),
    import('../system/linux/http-probe.ts'),
    import('../system/linux/trust-store.ts'),
    import('../system/linux/link-state.ts'),
  ]);
  const trust = new TrustStore({}, systemClock, () => {});
  const probe = new LinuxHttpProbe({ clock: systemClock, trust });
  return { resolver: openResolver(systemClock), probe, uplink: new LinkState() };
}

/** What the checks call themselves in their requests. */
export async function probeUserAgent(): Promise<string> {
  return (await import('../system/linux/http-probe-exchange.ts')).userAgent;
}
