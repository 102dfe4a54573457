/** The lab's picture as text for a terminal (pure). */
import type { LabStatus } from './control.ts';
import type { CurlResult } from './curl.ts';

const mostServices = 40;

export function renderStatus(stateDir: string, status: LabStatus): string {
  const since = new Date(status.since).toISOString().slice(0, 19).replace('T', ' ');
  const lines = [`The lab is up since ${since} UTC. State folder: ${stateDir}`, '', 'Hosts:'];
  for (const { host, devices } of status.hosts) {
    for (const [index, { device, peer, addresses }] of devices.entries()) {
      lines.push(
        `  ${(index === 0 ? host : '').padEnd(7)} ${device.padEnd(7)} to ${peer.padEnd(7)} ${addresses.join('  ')}`,
      );
    }
  }
  const { mark, mask, table } = status.tunnel;
  lines.push('', `Resolvers: ${status.resolvers.join(', ')}`);
  lines.push(`Tunnel: packets that router marks ${hex(mark)}/${hex(mask)} (table ${table})`);
  lines.push(`CA file: ${status.caFile}`, `Ruleset of router: ${status.routerRuleset}`, '', 'Services:');
  const width = Math.max(...status.services.map(({ name }) => name.length));
  for (const { name, addresses, outage, answer, paths, certificate } of status.services.slice(0, mostServices)) {
    const remarks = [
      outage === 'none' ? '' : `out of order: ${outage}`,
      certificate === 'valid' ? '' : `certificate: ${certificate}`,
      ...[['', answer] as const, ...Object.entries(paths)].map(([path, { status: code }]) =>
        code === undefined ? '' : `${path === '' ? 'answers' : path} ${code}`,
      ),
    ].filter((remark) => remark !== '');
    lines.push(
      `  ${name.padEnd(width)}  ${addresses.join('  ')}${remarks.length === 0 ? '' : `  (${remarks.join(', ')})`}`,
    );
  }
  if (status.services.length > mostServices)
    lines.push(`  … and ${status.services.length - mostServices} more (--json shows all)`);
  lines.push('', 'Censored:');
  for (const { target, kind, ...options } of status.censored)
    lines.push(`  ${target}: ${[kind, ...settings(options)].join(', ')}`);
  if (status.censored.length === 0) lines.push('  nothing');
  const behaviours = Object.entries(status.dns);
  if (behaviours.length > 0) lines.push('', 'DNS:');
  for (const [name, { kind, ...options }] of behaviours)
    lines.push(`  ${name}: ${[kind, ...settings(options)].join(', ')}`);
  return lines.join('\n');
}

const hex = (value: number): string => `0x${value.toString(16)}`;

function settings(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options).map(
    ([key, value]) => `${key} ${Array.isArray(value) ? value.join(' ') : String(value)}`,
  );
}

export function renderFetch(name: string, { ok, status, ms, via, address, bytes, reason, error }: CurlResult): string {
  const where = address === undefined ? '' : ` at ${address}`;
  const way = via === undefined ? '' : via === 'direct' ? ', direct' : `, through the ${via}`;
  if (ok) return `${name}${where}: ${status}, ${bytes} bytes in ${ms} ms${way}`;
  const why = reason === 'status' ? `response code ${status}` : `${reason}${error === undefined ? '' : ` (${error})`}`;
  return `${name}${where}: failed after ${ms} ms: ${why}${way}`;
}
