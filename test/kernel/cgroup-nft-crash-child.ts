/** Runs cgroup-nft, changes some cgroups, and kills itself (SIGKILL) before its n-th change of the ruleset. Says `done` when it gets to the end. */
import { parseCgroupNft } from '../../src/cgroup-nft/config.ts';
import { RunningCgroupNft } from '../../src/cgroup-nft/running.ts';
import { NetlinkKernelSets } from '../../src/system/linux/kernel-sets.ts';
import { openNft } from '../../src/system/linux/nft-open.ts';
import type { Nft } from '../../src/system/ports.ts';
import type { KernelRuleset } from '../../src/system/unit-ports.ts';
import { makeUnit, remakeUnit, removeUnit } from './cgroup-namespace.ts';
import { realHost } from './cgroup-nft-run.ts';

let left = Number(process.argv[2]);
const raw = JSON.parse(process.argv[3] ?? '{}') as Record<string, unknown>;

function step(): void {
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}

const changes = new Set(['apply', 'addCgroups', 'removeCgroups', 'removeElements', 'removeRules']);

/** The same with a step before each call that changes something. */
function counted<Port extends Nft | KernelRuleset>(port: Port): Port {
  return new Proxy(port, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        if (changes.has(String(name))) step();
        return Reflect.apply(value, target, given);
      };
    },
  });
}

const parsed = parseCgroupNft(raw);
if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
const host = {
  ...(await realHost()),
  openNft: async () => counted(await openNft('libnftables')),
  openKernelSets: async () => counted(await NetlinkKernelSets.open()),
};
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 80));
const running = await RunningCgroupNft.start(parsed.config, host, new AbortController().signal);
makeUnit('t.slice/c.service');
await pause();
remakeUnit('t.slice/a.service');
removeUnit('t.slice/b.service');
await pause();
await running.reload({ ...parsed.config, files: parsed.config.files.slice(0, 1) });
process.stdout.write('done\n');
process.kill(process.pid, 'SIGKILL');
