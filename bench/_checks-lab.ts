/** The lab of bench/checks.ts: 750 names with four addresses each, programs in its router, and the CA bundle that these find. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '../src/lab/certificates.ts';
import { Lab } from '../src/lab/lab.ts';
import { serviceAddress } from '../src/lab/plan.ts';

export interface Check {
  readonly host: string;
  readonly address: string;
}

/** Which CA certificates stand in the system's bundle, for everyone: the system's own and the lab's, or the lab's and one other. */
export const bundles = ['two certificates', "system's bundle"] as const;
export type Bundle = (typeof bundles)[number];

const systemBundle = '/etc/ssl/certs/ca-certificates.crt';
const addressesEach = 4;
const most = 3000;

/** The first so many checks; every one has an address of its own. */
export function checks(count: number): readonly Check[] {
  return Array.from({ length: count }, (_, i) => {
    const service = Math.floor(i / addressesEach);
    return { host: `h${service}.example`, address: serviceAddress(4, service, i % addressesEach) };
  });
}

// Settings of this environment that would point curl or Node at other CA files.
const noOtherBundle = {
  CURL_CA_BUNDLE: undefined,
  SSL_CERT_FILE: undefined,
  SSL_CERT_DIR: undefined,
  NODE_EXTRA_CA_CERTS: undefined,
};

export class ChecksLab {
  readonly lab: Lab;
  readonly folder: string;

  private constructor(lab: Lab, folder: string) {
    this.lab = lab;
    this.folder = folder;
  }

  static async up(): Promise<ChecksLab> {
    const folder = mkdtempSync(join(tmpdir(), 'netsteward-bench-'));
    const services = Array.from({ length: most / addressesEach }, (_, service) => ({
      name: `h${service}.example`,
      ipv4: Array.from({ length: addressesEach }, (_, slot) => serviceAddress(4, service, slot)),
      ipv6: [],
      answer: { bytes: 1200 },
    }));
    const lab = await Lab.up({ stateDir: join(folder, 'lab'), services });
    const own = readFileSync(lab.caFile, 'utf8');
    const other = new CertificateAuthority(Date.now()).certificate;
    writeFileSync(join(folder, bundles[0]), own + other);
    writeFileSync(join(folder, bundles[1]), readFileSync(systemBundle, 'utf8') + own);
    return new ChecksLab(lab, folder);
  }

  async down(): Promise<void> {
    await this.lab.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** In the router, with the bundle in the place of the system's: `ip netns exec` gives each program mounts of its own. */
  spawn(bundle: Bundle, argv: readonly string[]): ChildProcess {
    const mount = `mount --bind "$0" ${systemBundle} && exec "$@"`;
    return this.lab.spawn('router', ['sh', '-c', mount, join(this.folder, bundle), ...argv], { env: noOtherBundle });
  }

  /** Packets to the addresses of three names in ten vanish from now on. */
  async dropThirtyPercent(): Promise<void> {
    const names = Array.from({ length: most / addressesEach }, (_, service) => service);
    const dropped = names.filter((service) => service % 10 < 3).map((service) => `h${service}.example`);
    await this.lab.censor(dropped, 'drop');
  }
}

/** Of a process, from /proc (proc(5)): kB at its most, and milliseconds of CPU of the threads that it has now. */
export function usageOf(pid: number): { readonly peak: number; readonly cpu: number } {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return {
    peak: Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
    cpu: nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6,
  };
}

/** Process ids below `pid`, itself first. */
export function family(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return [pid, ...children.flatMap((child) => family(Number(child)))];
  } catch {
    return [];
  }
}
