/** Runs a bench a second time inside a network and mount namespace of its own, where it is root and alone. */
import { spawnSync } from 'node:child_process';

const variable = 'NETSTEWARD_BENCH_NAMESPACE';

/** Resolves to true inside; outside it runs the inside to its end, with its output, and gives false. `prepare`: bash, run first. */
export function insideNamespace(prepare = 'true'): boolean {
  if (process.env[variable] === 'inside') return true;
  // Settings of this environment that would point curl or Node at other CA files.
  const {
    CURL_CA_BUNDLE: _1,
    SSL_CERT_FILE: _2,
    SSL_CERT_DIR: _3,
    NODE_EXTRA_CA_CERTS: _4,
    ...environment
  } = process.env;
  const script = `PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs tmpfs /run && ip link set lo up && ${prepare} && exec "$@"`;
  const command = ['bash', '-c', script, 'bash', process.execPath, process.argv[1] ?? ''];
  const { status } = spawnSync('unshare', ['-Urnm', '--map-root-user', ...command], {
    stdio: 'inherit',
    env: { ...environment, [variable]: 'inside' },
  });
  process.exitCode = status ?? 1;
  return false;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
