/** The programs that the lab calls, and running them. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { labError } from './lab-error.ts';

/** Program → Debian package. */
const packages = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
  nft: 'nftables',
  curl: 'curl',
} as const;

/** PATH with the folders that Debian leaves out for ordinary users. */
export function toolPath(path = process.env.PATH ?? ''): string {
  const folders = path.split(':').filter((folder) => folder !== '');
  return [...folders, ...['/usr/sbin', '/sbin', '/usr/bin', '/bin'].filter((folder) => !folders.includes(folder))].join(
    ':',
  );
}

/** Throws LabError `lab-tool-missing`, naming every package that is missing. */
export function requireTools(): void {
  const folders = toolPath().split(':');
  const missing = Object.entries(packages).filter(
    ([tool]) => !folders.some((folder) => isExecutable(join(folder, tool))),
  );
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw labError(
    'lab-tool-missing',
    `the lab needs ${missing.map(([tool]) => tool).join(', ')}`,
    `Install with: apt-get install ${names}`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Finished {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with `input` on its standard input. Rejects only when it cannot be started. */
export function run(argv: readonly [string, ...string[]], input = ''): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = argv;
    const child = spawn(program, rest, { env: { ...process.env, PATH: toolPath() }, stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({
        code: code ?? undefined,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
    // A program that does not read its input is no error.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** The same, but anything else than success throws LabError `lab-start` with what the program said. */
export async function must(argv: readonly [string, ...string[]], input = ''): Promise<string> {
  const { code, stdout, stderr } = await run(argv, input);
  if (code !== 0) throw labError('lab-start', `${argv.join(' ')}: ${stderr.trim() || `exit code ${code}`}`);
  return stdout;
}
