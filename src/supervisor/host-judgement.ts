/** What the facts about the machine mean for a configuration: the findings of `netsteward check --host` (pure). */
import type { HostFacts, HostNeeds, KernelFacts, Ruleset } from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';
import { error, ok, warning } from './finding.ts';
import { judgeGuard } from './host-guard.ts';
import { judgeRouting } from './host-routing.ts';
import { judgeStop } from './host-stop.ts';
import { knowsOwner, knowsPersist } from './table-flags.ts';
import { atLeast } from './version-order.ts';

export function judgeHost(facts: HostFacts, needs: HostNeeds): readonly Finding[] {
  return [
    ...(needs.uses.has('nft') ? [...judgeNft(facts), ...judgeKernel(facts.kernel)] : []),
    ...(needs.uses.has('cgroups') ? judgeSocketMatch(facts.kernel) : []),
    ...(facts.ruleset.ok ? judgeRuleset(facts.ruleset.value, needs) : []),
    ...judgeRouting(facts, needs),
    ...judgeStop(facts, needs),
    ...judgeGuard(facts, needs),
  ];
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
  const versions = { kernel: kernel.release, nft: nftVersion.value };
  if (!knowsOwner(versions)) {
    findings.push(
      warning(
        'tables with an owner are not known here: a flush of the ruleset by others empties the own table for some milliseconds',
        'Linux 5.12 and nft 0.9.9 know them.',
      ),
    );
  } else if (!knowsPersist(versions)) {
    findings.push(ok('tables with an owner are known (not persistent ones: they want Linux 6.9 and nft 1.0.9)'));
  } else {
    findings.push(ok('tables with an owner are known, persistent ones too'));
  }
  return findings;
}

function judgeKernel({ release, options }: KernelFacts): Finding[] {
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
  return findings;
}

function judgeSocketMatch({ release, options, cgroup2 }: KernelFacts): Finding[] {
  const findings: Finding[] = [];
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
