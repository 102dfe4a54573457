/** How `netsteward nbrpc plan` reads in the terminal (pure). */
import type { WhatIf } from '../nbrpc/what-if.ts';
import { columns } from './text-columns.ts';

/** Of one flip that are named. */
const mostAddresses = 4;
const mostNames = 10;

export function planText({ flips, added, changed, removed, services }: WhatIf, remarks: readonly string[]): string {
  const hosts = new Set(flips.map(({ host }) => host)).size;
  const table = columns([
    ['service', 'now', 'then', 'addresses', 'why'],
    ...flips.map(({ host, from, to, addresses, why }) => [host, from, to, addressesText(addresses), why]),
  ]);
  const lines = [
    ...remarks,
    ...(flips.length === 0 ? [] : table),
    flips.length === 0
      ? `none of ${services} services would change its route`
      : `${hosts} of ${services} services would change ${hosts === 1 ? 'its' : 'their'} route`,
    ...named(added, 'new, and direct until the first checks are done'),
    ...named(changed, 'with another check or policy in the lists'),
    ...named(removed, 'in no list any more'),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function addressesText(addresses: readonly string[]): string {
  const rest = addresses.length - mostAddresses;
  const shown = addresses.slice(0, mostAddresses).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

function named(hosts: readonly string[], what: string): readonly string[] {
  if (hosts.length === 0) return [];
  const rest = hosts.length > mostNames ? ', …' : '';
  return [`${what}: ${hosts.length} (${[...hosts].sort().slice(0, mostNames).join(', ')}${rest})`];
}
