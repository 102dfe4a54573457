/** What the nft benches share: a namespace of their own, quantiles, Markdown tables. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const variable = 'NETSTEWARD_BENCH_NAMESPACE';

/** Runs the bench again inside a network namespace (as root without a user namespace, so that SO_SNDBUFFORCE works), and ends. */
export function enterNamespace(file: string): void {
  if (process.env[variable] === 'inside') return;
  const root = process.getuid?.() === 0;
  if (!root)
    process.stderr.write('not root: inside a user namespace netlink messages are small, and refills are slower\n');
  const flags = root ? ['-nm'] : ['-Urnm', '--map-root-user'];
  const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
  const command = ['bash', '-c', script, 'bash', process.execPath, fileURLToPath(file), ...process.argv.slice(2)];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, [variable]: 'inside' };
  const { status } = spawnSync('unshare', [...flags, '--kill-child', ...command], { stdio: 'inherit', env });
  process.exit(status ?? 1);
}

/** Nearest-rank quantile, 0 to 1. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

/** Milliseconds with two or three digits that mean something. */
export function ms(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  process.stdout.write(line(header) + line(header.map(() => '---')) + rows.map(line).join(''));
}

/** `10.0.0.0`, `10.0.0.1`, … */
export function addresses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
}
