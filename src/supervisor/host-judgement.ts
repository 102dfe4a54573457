/** What the facts about the machine mean for a configuration: the findings of `netsteward check --host` (pure). */
import type { Fact, HostFacts, HostNeeds, KernelFacts, RoutingFacts, RuleFact, Ruleset } from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';

const ok = (text: string): Finding => ({ severity: 'ok', text });
const warning = (text: string, remedy: string): Finding => ({ severity: 'warning', text, remedy });
const error = (text: string, remedy: string): Finding => ({ severity: 'error', text, remedy });

export function judgeHost(facts: HostFacts, needs: HostNeeds): readonly Finding[] {
  return [
    ...judgeNft(facts),
    ...judgeKernel(facts.kernel),
    ...(facts.ruleset.ok ? judgeRuleset(facts.ruleset.value, needs) : []),
    ...needs.marks.flatMap((mark) => [
      ...judgeMark('IPv4', 'ip', facts.routing4, mark),
      ...judgeMark('IPv6', 'ip -6', facts.routing6, mark),
    ]),
  ];
}

/** Whether dotted version `have` is at least `want`. */
export function atLeast(have: string, want: string): boolean {
  const numbers = (text: string): number[] => (text.match(/^\d+(?:\.\d+)*/)?.[0] ?? '0').split('.').map(Number);
  const [a, b] = [numbers(have), numbers(want)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function judgeNft({ nftVersion, ruleset, kernel }: HostFacts): Finding[] {
  if (!nftVersion.ok) {
    const { kind, message } = nftVersion.failure;
    if (kind === 'missing-command') return [error('nft is not installed', 'apt-get install nftables')];
    return [error(`nft does not run: ${message}`, 'Run `nft --version` by hand.')];
  }
  const findings = [ok(`nft ${nftVersion.value}`)];
  if (!ruleset.ok && ruleset.failure.kind === 'permission') {
    findings.push(error('no permission to read the ruleset', 'Run as root, or with CAP_NET_ADMIN.'));
  } else if (!ruleset.ok) {
    findings.push(
      error(`the ruleset cannot be read: ${ruleset.failure.message}`, 'Run `nft list ruleset` by hand; see `dmesg`.'),
    );
  } else {
    findings.push(ok('the ruleset can be read'));
  }
  // Owner flag: Linux 5.12, nft 0.9.9; persist: Linux 6.9, nft 1.0.9.
  if (!atLeast(kernel.release, '5.12') || !atLeast(nftVersion.value, '0.9.9')) {
    findings.push(
      warning(
        'tables with an owner are not known here: a flush of the ruleset by others empties the own table for some milliseconds',
        'Linux 5.12 and nft 0.9.9 know them.',
      ),
    );
  } else if (!atLeast(kernel.release, '6.9') || !atLeast(nftVersion.value, '1.0.9')) {
    findings.push(ok('tables with an owner are known (not persistent ones: they want Linux 6.9 and nft 1.0.9)'));
  } else {
    findings.push(ok('tables with an owner are known, persistent ones too'));
  }
  return findings;
}

function judgeKernel({ release, options, cgroup2 }: KernelFacts): Finding[] {
  const findings: Finding[] = [];
  if (options === undefined) {
    findings.push(ok(`kernel ${release} (its build options cannot be read, so they were not looked at)`));
  } else if (!options.has('CONFIG_NF_TABLES')) {
    findings.push(error(`kernel ${release} is built without nf_tables`, 'Use a kernel with CONFIG_NF_TABLES.'));
  } else if (!options.has('CONFIG_NF_TABLES_INET')) {
    findings.push(error(`kernel ${release} has no inet tables`, 'Use a kernel with CONFIG_NF_TABLES_INET.'));
  } else {
    findings.push(ok(`kernel ${release} with nf_tables`));
  }
  // nft_socket learned cgroupv2 in Linux 5.13.
  const socketExpression = atLeast(release, '5.13') && (options === undefined || options.has('CONFIG_NFT_SOCKET'));
  if (!socketExpression) {
    findings.push(
      warning(
        'rules with `socket cgroupv2` are not known to this kernel',
        'Linux 5.13 with CONFIG_NFT_SOCKET knows them.',
      ),
    );
  } else if (cgroup2 === undefined) {
    findings.push(
      warning(
        'cgroup2 is not mounted, so rules with `socket cgroupv2` cannot be loaded',
        'systemd mounts it by default.',
      ),
    );
  } else {
    findings.push(ok(`rules with \`socket cgroupv2\` are known, cgroup2 is mounted on ${cgroup2}`));
  }
  return findings;
}

function judgeRuleset(ruleset: Ruleset, needs: HostNeeds): Finding[] {
  const findings: Finding[] = [];
  for (const { family, name } of needs.ownTables) {
    const there = ruleset.tables.some((table) => table.family === family && table.name === name);
    findings.push(ok(there ? `table ${family} ${name} is there` : `table ${family} ${name} will be made`));
  }
  for (const { family, table, name, type } of needs.sets) {
    const where = `${family} ${table}`;
    const set = ruleset.sets.find((each) => each.name === name && each.family === family && each.table === table);
    if (!ruleset.tables.some((each) => each.family === family && each.name === table)) {
      const sameName = ruleset.tables.filter((each) => each.name === table).map((each) => each.family);
      const hint = sameName.length > 0 ? ` (there is a table ${table} of family ${sameName.join(', ')})` : '';
      findings.push(error(`set ${name}: there is no table ${where}${hint}`, 'See nftables.example.conf.'));
    } else if (set === undefined) {
      findings.push(
        error(
          `table ${where} has no set ${name}`,
          `nft add set ${where} ${name} '{ type ${type}; }', and in /etc/nftables.conf too.`,
        ),
      );
    } else if (set.type !== type) {
      findings.push(
        error(`set ${name} of table ${where} holds ${set.type}, not ${type}`, `Declare it with type ${type}.`),
      );
    } else if (set.flags.includes('constant')) {
      findings.push(error(`set ${name} of table ${where} is constant`, 'Take that flag away.'));
    } else if (set.flags.includes('interval')) {
      findings.push(
        warning(
          `set ${name} of table ${where} has intervals: each change costs as much as the whole set`,
          'Take `flags interval` and `auto-merge` away: the elements are single addresses.',
        ),
      );
    } else {
      findings.push(ok(`set ${name} of table ${where} holds ${type}`));
    }
  }
  return findings;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The local table is looked up at 0, main at 32766 (ip-rule(8)). */
const mainPriority = 32766;

function judgeMark(
  family: string,
  command: string,
  routing: Fact<RoutingFacts>,
  { mark, mask }: HostNeeds['marks'][number],
): Finding[] {
  if (!routing.ok) {
    const remedy =
      routing.failure.kind === 'missing-command' ? 'apt-get install iproute2' : `Run \`${command} rule\` by hand.`;
    return [warning(`${family}: the routing rules cannot be read: ${routing.failure.message}`, remedy)];
  }
  const written = `${hex(mark)}/${hex(mask)}`;
  const rule = routing.value.rules
    .filter((each) => matches(each, mark) && each.priority < mainPriority)
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
function matches(rule: RuleFact, mark: number): boolean {
  if (rule.mark === undefined) return false;
  const equal = ((rule.mark ^ mark) & rule.mask) === 0;
  return equal !== rule.not;
}
