/** How `netsteward status` shows nbrpc: what goes around, since when, why; then what is on its way there (pure). */
import { formatDuration } from '../core/duration.ts';
import type { AddressStatus, ExitStatus, HostStatus, ReactionKind, RunningDetail, Standing } from '../nbrpc/index.ts';

export function renderNbrpc(detail: RunningDetail, now: number): readonly string[] {
  const { byStanding, total } = detail;
  const addresses = count(detail.blocked, 'address goes', 'addresses go');
  const lines = [`${home(detail.sets)}: ${addresses} around${nextPass(detail, now)}`];
  lines.push(...detail.exits.map(renderExit));
  const first = firstPass(detail);
  if (first !== undefined) lines.push(first);
  const reactions = renderReactions(detail);
  if (reactions !== undefined) lines.push(reactions);
  const { inUse, sets } = detail;
  if (inUse !== undefined) lines.push(`${count(inUse, 'listed address is', 'listed addresses are')} in use`);
  if (sets.connections !== undefined) {
    const dropped = count(sets.connections.dropped, 'connection was', 'connections were');
    lines.push(`${dropped} dropped at a change of route`);
  }
  if (total === 0) lines.push('no services are looked after yet');
  else if (byStanding.rerouted + byStanding.dropped === 0) lines.push('everything goes direct');
  lines.push(...group(detail, 'dropped', 'dropped, as no exit works:', (host) => renderHost(host, now)));
  lines.push(...group(detail, 'rerouted', 'goes around:', (host) => renderHost(host, now)));
  lines.push(...group(detail, 'failing', 'fails, and goes direct:', (host) => renderHost(host, now)));
  lines.push(...group(detail, 'unchecked', 'not checked, and goes direct:', renderUnchecked));
  const { waiting, unresolved } = byStanding;
  if (waiting > 0)
    lines.push(count(waiting, 'service waits for its first check', 'services wait for their first check'));
  if (unresolved > 0) {
    lines.push(count(unresolved, 'service has no known address', 'services have no known address'));
    const shown = detail.hosts.filter(({ standing }) => standing === 'unresolved');
    for (const { name, cause } of shown) if (cause !== null) lines.push(`  ${name}: ${cause.text}`);
  }
  return lines;
}

function group(
  { hosts, byStanding }: RunningDetail,
  standing: Standing,
  title: string,
  render: (host: HostStatus) => readonly string[],
): readonly string[] {
  if (byStanding[standing] === 0) return [];
  const shown = hosts.filter((host) => host.standing === standing);
  const more = byStanding[standing] - shown.length;
  return [title, ...shown.flatMap(render), ...(more > 0 ? [`  and ${more} more`] : [])];
}

const homes: Readonly<Record<NonNullable<RunningDetail['sets']['table']>, string>> = {
  'owner-persist': 'own table (flags owner, persist)',
  owner: 'own table (flag owner)',
  plain: 'own table (without owner)',
  foreign: 'sets of your ruleset',
};

function home({ table, connected }: RunningDetail['sets']): string {
  const what = table === undefined ? 'no table yet' : homes[table];
  return connected ? what : `${what}, nft-agent is not there`;
}

function nextPass({ nextPass }: RunningDetail, now: number): string {
  return nextPass === null ? '' : `; next look in ${formatDuration(Math.max(0, nextPass - now))}`;
}

function firstPass({ firstPass }: RunningDetail): string | undefined {
  if (firstPass === null) return undefined;
  const { done, of } = firstPass;
  return `first pass under way: ${of === 0 ? 'names are being resolved' : `${done} of ${of} checks done`}`;
}

function renderHost(host: HostStatus, now: number): string[] {
  const since = host.state === 'failing' || host.state === 'unstable' ? host.failingSince : host.since;
  const time = since === null ? '' : ` for ${formatDuration(Math.max(0, now - since))}`;
  const reason = host.reason === '' ? '' : `: ${host.reason}`;
  const failing = host.addresses.filter((address) => address.rerouted || address.state === 'na');
  return [
    `  ${host.name} (${host.policy}${through(host)})${time}${reason}`,
    ...(host.cause === null ? [] : [`    ${host.cause.text}`]),
    ...failing.map((address) => `    ${renderAddress(address)}`),
    ...(host.moreAddresses > 0 ? [`    and ${host.moreAddresses} more`] : []),
  ];
}

function through({ exit, rerouted }: HostStatus): string {
  if (exit === null) return '';
  if (exit === '') return ', no exit works';
  return rerouted ? `, through ${exit}` : '';
}

function renderExit({ name, works, reason, latency, hosts, addresses }: ExitStatus): string {
  if (!works) return `exit ${name} does not work: ${reason}`;
  const took = latency === null ? '' : `, ${Math.round(latency)} ms`;
  return `exit ${name}: ${count(hosts, 'service', 'services')}, ${count(addresses, 'address', 'addresses')}${took}`;
}

const reactionWords: Readonly<Record<ReactionKind, string>> = {
  reroute: 'rerouted',
  release: 'released',
  'fail-over': 'to another exit',
};

/** From the first check that told; what was before it nobody knows. */
function renderReactions({ reactions }: RunningDetail): string | undefined {
  if (reactions === undefined) return undefined;
  const told = (Object.keys(reactionWords) as ReactionKind[]).flatMap((kind) => {
    const { count: times, median, worst } = reactions.byKind[kind];
    if (median === null || worst === null) return [];
    const most = times === 1 ? '' : ` at the median, ${duration(worst)} at worst`;
    return [`${reactionWords[kind]} within ${duration(median)}${most} (${times} time${times === 1 ? '' : 's'})`];
  });
  return told.length === 0 ? undefined : `after the first check that told: ${told.join(', ')}`;
}

const duration = (seconds: number): string => formatDuration(Math.round(seconds) * 1000);

function renderUnchecked({ name, policy, check, addresses }: HostStatus): string[] {
  const known = ['https', 'http', 'dns'].includes(check);
  const reasons = new Set(addresses.map(({ reason }) => reason).filter((reason) => reason !== ''));
  return [`  ${name} (${policy}): ${known ? [...reasons].slice(0, 2).join(', ') : `unknown check type ${check}`}`];
}

function renderAddress({ address, state, reason, inDns }: AddressStatus): string {
  const why = state === 'ok' ? 'answers' : reason === '' ? state : reason;
  return `${address}  ${why}${inDns ? '' : ' (no longer in DNS)'}`;
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;
