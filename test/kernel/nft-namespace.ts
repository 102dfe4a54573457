/** Runs a test file a second time inside a network namespace of its own, where it is root and alone. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const variable = 'NETSTEWARD_TEST_NAMESPACE';
const path = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
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
  const command = [
    'bash',
    '-c',
    script,
    'bash',
    process.execPath,
    '--test-force-exit',
    '--test-reporter=tap',
    fileURLToPath(file),
  ];
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn('unshare', [...unshare, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, PATH: path, [variable]: 'inside' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const limit = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(limit);
  assert.equal(code, 0, `in the namespace:\n${output.slice(-6000)}`);
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? Number.NaN);
  assert.equal(count('skipped'), 0, output.slice(-3000));
  assert.ok(count('pass') > 0, output.slice(-3000));
  t.diagnostic(`${count('pass')} tests passed in the namespace`);
}

function whatIsMissing(): string | undefined {
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) return 'no user namespaces (unshare -Urnm)';
  if (spawnSync('nft', ['--version'], { env: { PATH: path } }).error !== undefined) return 'nft is not installed';
  return undefined;
}
