/** Whether kernel and nft know `socket cgroupv2`: a throw-away rule for nft's check mode. */
import { describeError, NetstewardError } from '../core/errors.ts';
import { refusalOf } from '../system/nft-error.ts';
import { nftScript } from '../system/nft-script.ts';
import type { Nft } from '../system/ports.ts';
import type { CgroupTree } from '../system/unit-ports.ts';

const table = { family: 'inet', name: 'netsteward-probe' } as const;

export const socketMatchProbe = nftScript(
  { op: 'add-table', table },
  { op: 'add-set', table, set: 'units', type: 'cgroupsv2' },
  { op: 'add-chain', table, chain: 'output', type: 'filter', hook: 'output' },
  {
    op: 'add-rule',
    table,
    chain: 'output',
    when: [{ kind: 'cgroup-in-set', level: 1, set: 'units' }],
    action: { kind: 'count' },
  },
);

/** Its absence reads "No such file or directory" in every rule's refusal. Rejects with `socket-cgroup-unknown`. */
export async function mustMatchSockets(nft: Nft): Promise<void> {
  try {
    await nft.check(socketMatchProbe);
  } catch (cause) {
    const refusal = refusalOf(cause);
    if (refusal !== 'missing' && refusal !== 'unsupported' && refusal !== 'syntax') throw cause;
    const [reason] = describeError(cause).split('\n', 1);
    throw new NetstewardError('socket-cgroup-unknown', `kernel or nft do not know "socket cgroupv2": ${reason}`, {
      remedy: 'Linux 5.13 with CONFIG_NFT_SOCKET and nft 0.9.9 do; try modprobe nft_socket.',
      cause,
    });
  }
}

/** Where libnftables looks cgroups up, and nowhere else (src/datatype.c). */
export const nftCgroupRoot = '/sys/fs/cgroup';

export const elsewhereRemedy =
  'Boot systemd with its unified hierarchy (systemd.unified_cgroup_hierarchy=1), the default since Debian 11; ' +
  'in a container, mount cgroup2 there.';

/** What is wrong with the place that cgroup2 is mounted at, or undefined. */
export function rootProblem({ root }: Pick<CgroupTree, 'root'>): string | undefined {
  if (root === nftCgroupRoot) return undefined;
  return `cgroup2 is mounted at ${root}, but nft looks cgroups up below ${nftCgroupRoot} alone`;
}
