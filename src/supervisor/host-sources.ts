/** Whether what is bound to an exit's source address leaves through that exit: rules and routes (pure). */
import { BlockList, isIPv6 } from 'node:net';
import type { ExitSourceNeed, Fact, HostFacts, RoutingFacts, RuleFact } from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';
import { ok, warning } from './finding.ts';

/** The table main is looked up here (ip-rule(8)): by its default route, which is the direct one. */
const mainPriority = 32766;

export function judgeSources(facts: HostFacts, exits: readonly ExitSourceNeed[]): readonly Finding[] {
  return exits.flatMap(({ exit, sources }) =>
    sources.map((source) =>
      isIPv6(source)
        ? judgeSource(exit, source, 'ip -6', facts.routing6)
        : judgeSource(exit, source, 'ip', facts.routing4),
    ),
  );
}

function judgeSource(exit: string, source: string, command: string, routing: Fact<RoutingFacts>): Finding {
  const what = `exit ${exit}: what is bound to ${source}`;
  if (!routing.ok) {
    return warning(`${what} cannot be followed: ${routing.failure.message}`, `Run \`${command} rule\` by hand.`);
  }
  const rule = routing.value.rules
    .filter((each) => each.priority < mainPriority && isFrom(each, source))
    .sort((a, b) => a.priority - b.priority)[0];
  if (rule?.table === undefined) {
    return warning(
      `${what} takes the direct way, as no ip rule looks at it: the exit's checks would say what the direct way says`,
      `${command} rule add from ${source} lookup TABLE, with the table that the exit's mark leads to.`,
    );
  }
  const route = routing.value.routes.find(
    ({ table, destination }) => table === rule.table && destination === 'default',
  );
  if (route !== undefined) return ok(`${what} goes to table ${rule.table}, by ${route.device ?? 'a gateway'}`);
  return warning(
    `${what} goes to table ${rule.table}, which has no default route: its checks take the direct way`,
    `${command} route add default dev TUNNEL table ${rule.table}`,
  );
}

function isFrom({ source, mark, not }: RuleFact, address: string): boolean {
  if (source === undefined || mark !== undefined || not) return false;
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (isIPv6(source.address) !== isIPv6(address)) return false;
  const prefix = new BlockList();
  prefix.addSubnet(source.address, source.length, family);
  return prefix.check(address, family);
}
