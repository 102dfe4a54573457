/** What `while_down` will mean on this machine: whether the guard's table is there, and its interfaces (pure). */
import type { HostFacts, HostNeeds } from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';
import { guardTable } from '../system/guard-table.ts';
import { ok, warning } from './finding.ts';
import { matches } from './host-routing.ts';

const table = `table ${guardTable.family} ${guardTable.name}`;

export function judgeGuard(
  { ruleset, reversePath, routing4, routing6 }: HostFacts,
  { ownTables }: HostNeeds,
): readonly Finding[] {
  const guard = ownTables.find((each) => each.guard !== undefined)?.guard;
  const loaded =
    ruleset.ok &&
    ruleset.value.tables.some(({ family, name }) => family === guardTable.family && name === guardTable.name);
  if (guard === undefined) {
    if (!loaded) return [];
    const text = `${table} is loaded, though no while_down = "drop" asks for it: it drops what the LAN sends elsewhere`;
    return [warning(text, 'netsteward guard unload, and systemctl disable netsteward-guard.service.')];
  }
  const findings: Finding[] = [];
  const interfaces = guard.interfaces.join(', ');
  // Without rights nothing is known of the ruleset, which is said elsewhere.
  if (loaded) {
    findings.push(
      ok(
        `while_down = "drop": ${table} is loaded, and drops what ${interfaces} sends elsewhere unless the own table has seen it`,
      ),
    );
  } else if (ruleset.ok) {
    findings.push(
      warning(
        `while_down = "drop": ${table} is not loaded; netsteward loads it when it starts, and until then everything goes direct`,
        'systemctl enable --now netsteward-guard.service, so that it is there before the network is up.',
      ),
    );
  }
  for (const [family, routing] of [
    ['IPv4', routing4],
    ['IPv6', routing6],
  ] as const) {
    const rules = routing.ok ? routing.value.rules : [];
    const found = rules.find((rule) => matches(rule, guard.mark) !== matches(rule, 0));
    if (found === undefined) continue;
    const text = `${family}: the ip rule at ${found.priority} looks at bits of nbrpc.guard.mark: it takes what is not rerouted`;
    findings.push(warning(text, 'Give nbrpc.guard.mark bits that no rule looks at.'));
  }
  // Each interface has a filter of its own.
  const missing = reversePath.ok ? guard.interfaces.filter((name) => !reversePath.value.filters.has(name)) : [];
  if (missing.length > 0) {
    findings.push(
      warning(
        `nbrpc.guard.interfaces: there is no interface ${missing.join(', ')} now`,
        '`ip link` lists those that there are.',
      ),
    );
  }
  return findings;
}
