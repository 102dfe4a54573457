/** How `netsteward status` shows nbrpc: what goes around, since when, why; then what is on its way there (pure). */
import { formatDuration } from '../core/duration.ts';
import type { AddressStatus, HostStatus, RunningDetail } from '../nbrpc/index.ts';

export function renderNbrpc(detail: RunningDetail, now: number): readonly string[] {
  const around = detail.hosts.filter((host) => host.rerouted);
  const wavering = detail.hosts.filter(
    (host) => !host.rerouted && (host.state === 'failing' || host.state === 'unstable'),
  );
  const lines = [
    `table: ${detail.sets.table ?? 'not there yet'}, ${count(detail.blocked, 'address', 'addresses')} in the sets${nextPass(detail, now)}`,
  ];
  if (around.length === 0) lines.push('everything goes direct');
  else lines.push('goes around:', ...around.flatMap((host) => renderHost(host, now)));
  if (wavering.length > 0) lines.push('fails, still direct:', ...wavering.flatMap((host) => renderHost(host, now)));
  return lines;
}

function nextPass({ nextPass }: RunningDetail, now: number): string {
  return nextPass === null ? '' : `, next look in ${formatDuration(Math.max(0, nextPass - now))}`;
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
