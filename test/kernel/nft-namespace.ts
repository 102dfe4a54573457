/** Runs a test file a second time inside a network namespace of its own, where it is root and alone. */
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { pathWithSbin, runAgain } from './second-run.ts';

const variable = 'NETSTEWARD_TEST_NAMESPACE';
const unshare = ['-Urnm', '--map-root-user', '--kill-child'];

/** Whether this very process is the second run. */
export const insideNamespace: boolean = process.env[variable] === 'inside';

/** `file`: import.meta.url of the test file. Skips, loudly, where user namespaces or nft are not to be had. */
export async function repeatInNamespace(t: TestContext, file: string): Promise<void> {
  const lacking = whatIsMissing();
  if (lacking !== undefined) {
    t.skip(`NOT TESTED: ${lacking}`);
    return;
  }
  const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
  await runAgain(t, {
    file,
    command: ['unshare', ...unshare, 'bash', '-c', script, 'bash'],
    environment: { [variable]: 'inside' },
    where: 'in the namespace',
  });
}

function whatIsMissing(): string | undefined {
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) return 'no user namespaces (unshare -Urnm)';
  if (spawnSync('nft', ['--version'], { env: { PATH: pathWithSbin } }).error !== undefined)
    return 'nft is not installed';
  return undefined;
}
