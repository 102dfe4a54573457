/** Whether marked packets find the tunnel, and answers their way back: rules, routes, reverse path filter, ports (pure). */
import type {
  Fact,
  HostFacts,
  HostNeeds,
  OwnTableNeed,
  PortRangeFact,
  ReversePathFacts,
  RoutingFacts,
  RuleFact,
} from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';
import { ok, warning } from './finding.ts';
import { judgeSources } from './host-sources.ts';

type Mark = NonNullable<OwnTableNeed['marks']>;

export function judgeRouting(facts: HostFacts, { ownTables, sets, exits = [] }: HostNeeds): readonly Finding[] {
  const findings = [...ownTables.flatMap((table) => judgeTable(facts, table)), ...judgeSources(facts, exits)];
  // Rules of the administrator's own mark what his sets hold; with which mark is not known here.
  const marking = sets.length > 0 || ownTables.some((table) => table.marks !== undefined);
  return marking ? [...findings, judgeReversePath(facts.reversePath)] : findings;
}

function judgeTable(
  facts: HostFacts,
  { family, name, marks, otherMarks = [], exemptPorts, guard, use }: OwnTableNeed,
): readonly Finding[] {
  if (use === 'units') return [];
  if (marks === undefined) {
    return [
      warning(
        `table ${family} ${name} marks nothing, so everything goes direct`,
        'Switch mark_forwarded or mark_own on.',
      ),
    ];
  }
  return [
    ...[marks, ...otherMarks].flatMap((each) => [
      ...judgeMark('IPv4', 'ip', facts.routing4, each, guard?.mark),
      ...judgeMark('IPv6', 'ip -6', facts.routing6, each, guard?.mark),
    ]),
    ...(exemptPorts === undefined ? [] : [judgePorts(facts.localPorts, exemptPorts)]),
  ];
}

const unreadable = 'Look at /proc/sys/net/ipv4 by hand.';
const strict = 1;

/** The larger of `all` and the interface counts (Documentation/networking/ip-sysctl.rst). */
function judgeReversePath(reversePath: Fact<ReversePathFacts>): Finding {
  if (!reversePath.ok) {
    return warning(`IPv4: the reverse path filter cannot be read: ${reversePath.failure.message}`, unreadable);
  }
  const { filters, looksAtMark } = reversePath.value;
  const all = filters.get('all') ?? 0;
  const where = [...filters]
    .filter(([name, value]) => name !== 'all' && name !== 'lo' && Math.max(all, value) === strict)
    .map(([name]) => (name === 'default' ? 'interfaces that come later' : name));
  if (where.length === 0) return ok('IPv4: no strict reverse path filter');
  const marked = looksAtMark ? ', and (src_valid_mark = 1) marked packets from the LAN' : '';
  return warning(
    `IPv4: the reverse path filter is strict on ${where.join(', ')}: it drops answers that come through the tunnel${marked}`,
    'sysctl -w net.ipv4.conf.all.rp_filter=2, and in /etc/sysctl.d too: 2 is the loose kind, and `all` counts for every interface.',
  );
}

function judgePorts(localPorts: Fact<PortRangeFact>, { first, last }: PortRangeFact): Finding {
  if (!localPorts.ok) {
    return warning(`net.ipv4.ip_local_port_range cannot be read: ${localPorts.failure.message}`, unreadable);
  }
  const { value: local } = localPorts;
  const range = `exempt_source_ports ${first}-${last}`;
  if (last < local.first || first > local.last) {
    return ok(`${range} lie outside of net.ipv4.ip_local_port_range (${local.first}-${local.last})`);
  }
  return warning(
    `${range} overlap net.ipv4.ip_local_port_range (${local.first}-${local.last}): connections of other programs that get such a port go the direct way`,
    'Take exempt_source_ports outside of it, or narrow it: sysctl -w net.ipv4.ip_local_port_range="32768 60999".',
  );
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The local table is looked up at 0, main at 32766 (ip-rule(8)). */
const mainPriority = 32766;

/** `more`: bits that packets have beside the mark when the route is looked up. */
function judgeMark(
  family: string,
  command: string,
  routing: Fact<RoutingFacts>,
  { mark, mask }: Mark,
  more = 0,
): Finding[] {
  if (!routing.ok) {
    const remedy =
      routing.failure.kind === 'missing-command' ? 'apt-get install iproute2' : `Run \`${command} rule\` by hand.`;
    return [warning(`${family}: the routing rules cannot be read: ${routing.failure.message}`, remedy)];
  }
  const written = `${hex(mark)}/${hex(mask)}`;
  const rule = routing.value.rules
    .filter((each) => matches(each, mark | more) && each.priority < mainPriority)
    .sort((a, b) => a.priority - b.priority)[0];
  if (rule?.table === undefined) {
    return [
      warning(
        `${family}: no ip rule before the main table looks at mark ${written}: rerouted traffic goes the direct way`,
        `${command} rule add fwmark ${written} table 100`,
      ),
    ];
  }
  const found = `${family}: mark ${written} goes to table ${rule.table}`;
  const routes = routing.value.routes.filter((route) => route.table === rule.table);
  const add = `${command} route add default dev TUNNEL table ${rule.table}`;
  const route = routes.find((each) => each.destination === 'default');
  if (routes.length === 0) {
    return [warning(`${found}, which has no route: rerouted traffic goes the direct way`, add)];
  }
  if (route === undefined) return [warning(`${found}, which has no default route`, add)];
  const broken = route.flags.filter((flag) => flag === 'dead' || flag === 'linkdown');
  if (broken.length > 0) {
    return [
      warning(`${found}, whose default route is ${broken.join(', ')}`, `ip link set ${route.device ?? 'TUNNEL'} up`),
    ];
  }
  if (route.type !== 'unicast') {
    return [warning(`${found}, whose default route is ${route.type}: rerouted traffic is dropped`, add)];
  }
  return [ok(`${found}, default route by ${route.device ?? 'a gateway'}`)];
}

/** Whether packets with exactly this mark meet the rule (fib_rules.c: `(rule->mark ^ mark) & rule->mark_mask`). */
export function matches(rule: RuleFact, mark: number): boolean {
  if (rule.mark === undefined) return false;
  const equal = ((rule.mark ^ mark) & rule.mask) === 0;
  return equal !== rule.not;
}
