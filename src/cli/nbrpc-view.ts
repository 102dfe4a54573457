/** How `netsteward status` shows nbrpc: what goes around, since when, why; then what is on its way there (pure). */
import { formatDuration } from '../core/duration.ts';
import type { AddressStatus, HostStatus, RunningDetail } from '../nbrpc/index.ts';

export function renderNbrpc(detail: RunningDetail, now: number): readonly string[] {
  const around = detail.hosts.filter((host) => host.rerouted);
  const failing = detail.hosts.filter((host) => !host.rerouted && !['ok', 'unknown'].includes(host.state));
  const addresses = count(detail.blocked, 'address goes', 'addresses go');
  const lines = [`${home(detail.sets)}: ${addresses} around${nextPass(detail, now)}`];
  if (detail.hosts.length === 0) lines.push('no services are looked after yet');
  else if (around.length === 0) lines.push('everything goes direct');
  else lines.push('goes around:', ...around.flatMap((host) => renderHost(host, now)));
  if (failing.length > 0) lines.push('fails, and goes direct:', ...failing.flatMap((host) => renderHost(host, now)));
  return lines;
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

function renderHost(host: HostStatus, now: number): string[] {
  const since = host.state === 'failing' || host.state === 'unstable' ? host.failingSince : host.since;
  const time = since === null ? '' : ` for ${formatDuration(now - since)}`;
  const reason = host.reason === '' ? '' : `: ${host.reason}`;
  const failing = host.addresses.filter((address) => address.rerouted || address.state === 'na');
  return [
    `  ${host.name} (${host.policy})${time}${reason}`,
    ...failing.map((address) => `    ${renderAddress(address)}`),
  ];
}

function renderAddress({ address, state, reason, inDns }: AddressStatus): string {
  const why = state === 'ok' ? 'answers' : reason === '' ? state : reason;
  return `${address}  ${why}${inDns ? '' : ' (no longer in DNS)'}`;
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;
