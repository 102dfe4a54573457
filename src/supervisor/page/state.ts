/** From the supervisor's status to what the page shows of the present (pure). */
import type { CgroupNftDetail } from '../../cgroup-nft/index.ts';
import type { ModuleName } from '../../core/module.ts';
import type { DnstestDetail } from '../../dnstest/index.ts';
import type { DyndnsDetail } from '../../dyndns/index.ts';
import type { HostStatus, ReactionsStatus, RunningDetail } from '../../nbrpc/index.ts';
import type { StatusReport } from '../status-report.ts';
import type {
  Access,
  CgroupNftHead,
  DnstestHead,
  DyndnsHead,
  NameRow,
  NbrpcHead,
  PageState,
  Reactions,
  ResolverRow,
  ServiceRow,
  UnitRow,
} from './shapes.ts';

export function pageState(report: StatusReport, access: Access): PageState {
  const { version, state, ready, startedAt, config, lastReload, modules, warnings, now } = report;
  // Every module is of this version: another one is refused by the supervisor.
  const detail = <Detail>(name: ModuleName): Detail | undefined =>
    (modules.find((module) => module.name === name)?.health?.detail ?? undefined) as Detail | undefined;
  const nbrpc = detail<RunningDetail>('nbrpc');
  const units = detail<CgroupNftDetail>('cgroup-nft');
  const names = detail<DyndnsDetail>('dyndns');
  const resolvers = detail<DnstestDetail>('dnstest');
  return {
    at: now,
    service: {
      version,
      state,
      ready,
      startedAt,
      config,
      lastReload:
        lastReload === undefined ? null : { at: lastReload.at, ok: lastReload.ok, problems: lastReload.problems },
    },
    access,
    modules: modules.map((module) => ({
      id: module.name,
      state: module.state,
      since: module.since,
      restarts: module.restarts,
      lastError: module.lastError ?? null,
      summary: module.health?.summary ?? '',
    })),
    warnings: warnings.map((warning) => ({ ...warning, id: `${warning.code} ${warning.subject}` })),
    nbrpc: nbrpc === undefined ? null : nbrpcHead(nbrpc),
    services: nbrpc?.hosts.map(serviceRow) ?? [],
    units: units?.entries.map(unitRow) ?? [],
    cgroupNft: units === undefined ? null : unitsHead(units),
    names: names?.names.map(nameRow) ?? [],
    dyndns: names === undefined ? null : namesHead(names),
    resolvers: resolvers?.resolvers.map(resolverRow) ?? [],
    dnstest: resolvers === undefined ? null : resolversHead(resolvers),
  };
}

function nbrpcHead(detail: RunningDetail): NbrpcHead {
  const { total, moreHosts, byStanding, blocked, lastPass, nextPass, firstPass, exits, reactions } = detail;
  const progress = firstPass === null ? null : { done: firstPass.done, total: firstPass.of };
  const times = reactions === undefined ? {} : { reactions: reactionsOf(reactions) };
  return { total, more: moreHosts, byStanding, blocked, lastPass, nextPass, firstPass: progress, exits, ...times };
}

function reactionsOf({ byKind, last }: ReactionsStatus): Reactions {
  const short = ({ count, median, worst }: ReactionsStatus['byKind']['reroute']) => ({ count, median, worst });
  const { reroute, release, 'fail-over': failOver } = byKind;
  return { byKind: { reroute: short(reroute), release: short(release), 'fail-over': short(failOver) }, last };
}

function serviceRow({ name, addresses, ...host }: HostStatus): ServiceRow {
  const checked = addresses.flatMap((address) => address.checked ?? []);
  return {
    id: name,
    ...host,
    checked: checked.length === 0 ? null : Math.max(...checked),
    addresses: addresses.map(({ altReason, ...address }) => ({ ...address, exitReason: altReason })),
  };
}

function unitsHead({ more, waiting, tableName, journal }: CgroupNftDetail): CgroupNftHead {
  return { more, waiting, table: tableName, journal };
}

function unitRow({
  path,
  groups,
  rules,
  lacking,
  since,
  margin,
  counters,
}: CgroupNftDetail['entries'][number]): UnitRow {
  return { id: path, unit: path.split('/').at(-1) ?? path, groups, rules, lacking, since, margin, counters };
}

function namesHead({ listening, nameCount, packets }: DyndnsDetail): DyndnsHead {
  return { listening, total: nameCount, packets };
}

function nameRow({ zone, name, address, keys, heardAt }: DyndnsDetail['names'][number]): NameRow {
  return { id: `${zone} ${name} ${address} ${keys.join(' ')}`, zone, name, address, keys, heardAt: heardAt ?? null };
}

function resolversHead({ name, serve, bounds }: DnstestDetail): DnstestHead {
  return { name, serves: serve?.at ?? null, bounds };
}

function resolverRow({ resolver, ...entry }: DnstestDetail['resolvers'][number]): ResolverRow {
  return { id: resolver, ...entry };
}
