/** Facts about this machine, read by running `nft` and `ip` and by reading /proc: nothing is changed. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { errnoOf } from '../../core/errors.ts';
import type {
  Fact,
  FactFailure,
  HostFacts,
  KernelFacts,
  PortRangeFact,
  ReversePathFacts,
  RoutingFacts,
  Ruleset,
} from '../../core/host-facts.ts';
import { parseRoutes, parseRules, parseSets, parseTables } from './host-facts-parse.ts';

/** Milliseconds that a listing may take. */
const patience = 20_000;
/** Bytes of a listing. */
const mostOutput = 256 * 1024 * 1024;

export async function readHostFacts(): Promise<HostFacts> {
  const [nftVersion, ruleset, kernel, routing4, routing6, reversePath, localPorts] = await Promise.all([
    readNftVersion(),
    readRuleset(),
    readKernel(),
    readRouting('-4'),
    readRouting('-6'),
    readReversePath(),
    readLocalPorts(),
  ]);
  return { nftVersion, ruleset, kernel, routing4, routing6, reversePath, localPorts };
}

async function readNftVersion(): Promise<Fact<string>> {
  const output = await run('nft', ['--version']);
  if (!output.ok) return output;
  const version = /v(\d+(?:\.\d+)*)/.exec(output.value)?.[1];
  return version === undefined
    ? failed(`nft --version printed ${JSON.stringify(output.value)}`)
    : { ok: true, value: version };
}

async function readRuleset(): Promise<Fact<Ruleset>> {
  // Not `nft -j list ruleset`: with any table that has flags, such as our own, nft 1.0.6 prints freed memory into its JSON.
  // Terse (-t): the elements of sets are not asked for.
  const [tables, sets] = await Promise.all([run('nft', ['list', 'tables']), run('nft', ['-j', '-t', 'list', 'sets'])]);
  const parsedSets = parsed(sets, parseSets);
  if (!tables.ok) return tables;
  if (!parsedSets.ok) return parsedSets;
  return { ok: true, value: { tables: parseTables(tables.value), sets: parsedSets.value } };
}

async function readRouting(family: '-4' | '-6'): Promise<Fact<RoutingFacts>> {
  const [rules, routes] = await Promise.all([
    run('ip', [family, '-j', 'rule', 'show']),
    run('ip', [family, '-j', 'route', 'show', 'table', 'all']),
  ]);
  const parsedRules = parsed(rules, parseRules);
  const parsedRoutes = parsed(routes, parseRoutes);
  if (!parsedRules.ok) return parsedRules;
  if (!parsedRoutes.ok) return parsedRoutes;
  return { ok: true, value: { rules: parsedRules.value, routes: parsedRoutes.value } };
}

// Of the network namespace of whoever opens it (proc_sysctl.c, net/sysctl_net.c).
const ipv4 = '/proc/sys/net/ipv4';

async function readReversePath(): Promise<Fact<ReversePathFacts>> {
  try {
    const names = await readdir(`${ipv4}/conf`);
    const filters = await Promise.all(names.map((name) => readFilter(name)));
    const looksAtMark = Number(await readFile(`${ipv4}/conf/all/src_valid_mark`, 'utf8')) === 1;
    return { ok: true, value: { filters: new Map(filters.flat()), looksAtMark } };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

async function readFilter(name: string): Promise<readonly (readonly [string, number])[]> {
  try {
    return [[name, Number(await readFile(`${ipv4}/conf/${name}/rp_filter`, 'utf8'))]];
  } catch (error) {
    // The interface went away meanwhile.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readLocalPorts(): Promise<Fact<PortRangeFact>> {
  const path = `${ipv4}/ip_local_port_range`;
  try {
    const text = await readFile(path, 'utf8');
    const [, first, last] = /^(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
    if (first === undefined) return failed(`${path} is ${JSON.stringify(text)}`);
    return { ok: true, value: { first: Number(first), last: Number(last) } };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

async function readKernel(): Promise<KernelFacts> {
  const version = release();
  const [running, boot, mounts] = await Promise.all([
    readFile('/proc/config.gz')
      .then(promisify(gunzip))
      .catch(() => undefined),
    readFile(`/boot/config-${version}`).catch(() => undefined),
    readFile('/proc/self/mounts', 'utf8').catch(() => ''),
  ]);
  const config = (running ?? boot)?.toString();
  const lines = config?.matchAll(/^(CONFIG_\w+)=([ym])$/gm);
  return {
    release: version,
    options: lines === undefined ? undefined : new Map([...lines].map(([, name = '', how = '']) => [name, how])),
    cgroup2: /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1],
  };
}

function parsed<Value>(output: Fact<string>, parse: (json: unknown) => Value): Fact<Value> {
  if (!output.ok) return output;
  try {
    // `ip -j` prints nothing at all where it has nothing to list.
    return { ok: true, value: parse(JSON.parse(output.value.trim() === '' ? '[]' : output.value)) };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function failed(message: string, kind: FactFailure['kind'] = 'failed'): { ok: false; failure: FactFailure } {
  return { ok: false, failure: { kind, message } };
}

function run(command: string, args: readonly string[]): Promise<Fact<string>> {
  return new Promise((resolve) => {
    // sbin is often missing from the PATH of ordinary users; the C locale keeps messages recognisable.
    const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
    execFile(command, args, { env, timeout: patience, maxBuffer: mostOutput }, (error, stdout, stderr) => {
      if (error === null) return resolve({ ok: true, value: stdout });
      if (error.code === 'ENOENT') return resolve(failed(`${command} is not installed`, 'missing-command'));
      const message = stderr.trim().split('\n')[0] || error.message;
      const permission = /Operation not permitted|Permission denied|must be root/.test(stderr);
      resolve(failed(message, permission ? 'permission' : 'failed'));
    });
  });
}
