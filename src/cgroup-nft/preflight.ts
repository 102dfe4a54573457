/** What `netsteward check --host` says of cgroup-nft: the cgroup tree, the kernel's match, the files. */
import { describeError } from '../core/errors.ts';
import type { Finding } from '../core/module.ts';
import type { CgroupNftConfig } from './config.ts';
import { lintStatements, unitPatternLints } from './lint.ts';
import type { CgroupNftPreflightHost } from './ports.ts';
import { readRules } from './rule-files.ts';
import { elsewhereRemedy, rootProblem } from './socket-match.ts';

export async function preflight(config: CgroupNftConfig, host: CgroupNftPreflightHost): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  if (host.tree === undefined) {
    findings.push({
      severity: 'error',
      text: 'no cgroup2 file system is mounted: there are no cgroups that rules could match',
      remedy:
        'Boot systemd with its unified hierarchy (systemd.unified_cgroup_hierarchy=1), the default since Debian 11.',
    });
  } else {
    const problem = rootProblem(host.tree);
    if (problem === undefined) findings.push({ severity: 'ok', text: `cgroup2 is mounted at ${host.tree.root}` });
    else findings.push({ severity: 'error', text: problem, remedy: elsewhereRemedy });
  }
  const known = await host.socketCgroup();
  if (known === false) {
    findings.push({
      severity: 'error',
      text: 'this kernel or nft does not know "socket cgroupv2"',
      remedy: 'Linux 5.13 with CONFIG_NFT_SOCKET and nft 0.9.9 do; try modprobe nft_socket.',
    });
  } else if (known === true) findings.push({ severity: 'ok', text: 'the kernel knows "socket cgroupv2"' });
  findings.push(await priorityFinding(config, host));
  const { files, reload_with_units: reload, reapply_with_units: reapply } = config;
  if (files.length + reload.length + reapply.length > 0) findings.push(journalFinding(await host.journalProblem()));
  for (const { name, units } of config.group) findings.push(...groupFindings(name, units));
  for (const file of files) {
    try {
      const { statements, remarks } = await readRules(host.files, [file]);
      for (const remark of remarks) findings.push({ severity: 'warning', text: remark });
      const count = `${statements.length} rule${statements.length === 1 ? '' : 's'} of units`;
      const doubtful = lintStatements(statements).filter(({ severity }) => severity === 'warning').length;
      if (doubtful > 0) {
        findings.push({
          severity: 'warning',
          text: `${file}: ${count}, ${doubtful} of what they say may not be what was meant`,
          remedy: `netsteward cgroup-nft check ${file} shows where, and asks nft too.`,
        });
      } else if (statements.length > 0) findings.push({ severity: 'ok', text: `${file}: ${count}` });
      else {
        findings.push({
          severity: 'warning',
          text: `${file} has no rules of units`,
          remedy: 'A rule is a comment such as: # postfix.service :: add rule inet filter output socket cgroupv2 …',
        });
      }
    } catch (error) {
      findings.push({ severity: 'error', text: describeError(error) });
    }
  }
  return findings;
}

/** Which priority it will have: that of real time, else a nice value, else none. */
async function priorityFinding({ nice, realtime }: CgroupNftConfig, host: CgroupNftPreflightHost): Promise<Finding> {
  const niceProblem = host.niceProblem(nice);
  if (!realtime) return niceFinding(nice, niceProblem);
  const problem = await host.realtimeProblem();
  if (problem === undefined) return { severity: 'ok', text: 'a real-time priority may be had here' };
  const instead =
    niceProblem === undefined
      ? `it will be nice = ${nice}, which waits some milliseconds on a busy machine`
      : `nor may nice = ${nice} (${niceProblem}): on a machine that is out of CPU time rules may come late`;
  return {
    severity: 'warning',
    text: `a real-time priority may not be had: ${problem}; ${instead}`,
    remedy:
      'LimitRTPRIO=1 in the unit of netsteward permits it, and so does CAP_SYS_NICE; RestrictRealtime= forbids it.',
  };
}

function niceFinding(nice: number, problem: string | undefined): Finding {
  if (problem === undefined) return { severity: 'ok', text: `priority nice = ${nice} may be had here` };
  return {
    severity: 'warning',
    text: `priority nice = ${nice} may not be had: ${problem}; on a machine that is out of CPU time rules may come late`,
    remedy: `LimitNICE=${nice} in the unit of netsteward permits it, and so does CAP_SYS_NICE.`,
  };
}

function journalFinding(problem: string | undefined): Finding {
  if (problem === undefined) return { severity: 'ok', text: 'the journal can be read' };
  return {
    severity: 'warning',
    text: `the journal cannot be read: ${problem}`,
    remedy:
      'Cgroups are watched all the same; what is lost are units whose start changes a cgroup other than theirs, and reload_with_units.',
  };
}

function groupFindings(name: string, units: readonly string[]): readonly Finding[] {
  return units.flatMap((unit) =>
    unitPatternLints(unit)
      .filter(({ severity }) => severity === 'warning')
      .map(({ message }): Finding => ({ severity: 'warning', text: `group ${name}: ${message}` })),
  );
}
