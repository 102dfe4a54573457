/** What cgroup-nft and dyndns lose while nbrpc runs 3000 checks and forged packets come in floods: in one service, and with nbrpc in a service of its own. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { signingKey } from '../src/dyndns/keys.ts';
import { guardCgroup, makeCgroup, removeCgroup } from '../test/system/cgroup-of-test.ts';
import { ChecksLab, checks, family } from './_checks-lab.ts';
import { compileFlood, port } from './_dyndns-site.ts';
import { ms, printTable, quantile } from './_figures.ts';

const mainJs = fileURLToPath(new URL('../src/main.js', import.meta.url));
const insideJs = fileURLToPath(new URL('./_isolation-inside.js', import.meta.url));
const runs = { cgroups: Number(process.env.CGROUPS ?? 400), updates: Number(process.env.UPDATES ?? 150) };
const floodRate = 30_000;
const floodSources = 200;
const hosts = [...new Set(checks(3000).map(({ host }) => host))];

const lab = await ChecksLab.up();
const cgroup = `netsteward-bench-${process.pid}`;
const tree = makeCgroup(cgroup);
const unguard = guardCgroup(cgroup);
const program = compileFlood(lab.folder);
const children: ChildProcess[] = [];

/** In the router, with the bench's cgroup as the whole tree. `ip netns exec` has put another /sys into place. */
function spawn(argv: readonly string[]): ChildProcess {
  const enter =
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup && echo $$ > "/sys/fs/cgroup/$0/cgroup.procs" && exec unshare --cgroup --mount sh -c ' +
    '\'umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"\' sh "$@"';
  const child = lab.spawn('two certificates', ['sh', '-c', enter, cgroup, ...argv]);
  child.stderr?.on('data', (text: Buffer) => process.env.SHOW !== undefined && process.stderr.write(text));
  children.push(child);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
}

interface Site {
  readonly list: string;
  readonly zone: string;
  readonly seed: string;
}

/** `[nbrpc]` that checks all that is due in each pass, and everything is due in the next one. */
const nbrpc = (folder: string, list: string): string => `[nbrpc]
check_lists = ["${list}"]
state = "${folder}/nbrpc.db"
schedule = "original"
[nbrpc.resolver]
servers = [${lab.lab.resolvers.map((server) => `"${server}"`).join(', ')}]
[nbrpc.control]
services = []
[nbrpc.limits]
iter_hosts = 10000
iter_addrs = 10000
[nbrpc.timers]
pass = "5s"
host_addrs = "1d"
addr_state = "1s"
`;
const watchers = ({ zone, seed }: Site): string => `[cgroup-nft]
[[cgroup-nft.group]]
name = "allowed"
units = ["measured-*.service"]
mark = 0x2000000
[dyndns]
bind = "127.0.0.1:${port}"
update_timestamps = true
[[dyndns.zone]]
file = "${zone}"
[[dyndns.key]]
key = "${signingKey(Buffer.from(seed, 'base64url')).verify.text}"
names = ["home.example.org"]
sources = ["127.0.0.0/8"]
`;

function site(name: string): Site {
  const folder = join(lab.folder, name);
  mkdirSync(folder);
  const seed = randomBytes(32);
  const zone = join(folder, 'zone');
  writeFileSync(zone, `# dynamic: 0 ${signingKey(seed).verify.text}\n+home.example.org:192.0.2.1:300\n`);
  const list = join(folder, 'services.list');
  writeFileSync(list, '');
  return { list, zone, seed: seed.toString('base64url') };
}

/** Resolves when it is ready. `learned`: tells how many checks it has saved. */
async function service(name: string, toml: string): Promise<{ child: ChildProcess; learned: () => number }> {
  const folder = join(lab.folder, name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'netsteward.toml');
  const general = `[log]\nformat = "json"\nlevel = "debug"\n[control]\nsocket = "${folder}/control.sock"\n[history]\noff = true\n`;
  writeFileSync(file, general + toml);
  const child = spawn([process.execPath, mainJs, 'run', '--config', file]);
  let checked = 0;
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (said.length > 50) said.shift();
        if (!line.startsWith('{')) return;
        const event = JSON.parse(line) as { event?: string; checked?: number };
        if (event.event === 'learned') checked += event.checked ?? 0;
        if (event.event === 'ready') resolve();
      });
    }
    child.once('exit', (code) => reject(new Error(`netsteward ended with ${code}:\n${said.join('\n')}`)));
  });
  return { child, learned: () => checked };
}

async function measure(argv: readonly string[], chrt = false): Promise<readonly number[]> {
  // The ruler of cgroups must not wait for the processor itself.
  const first = chrt ? ['chrt', '--rr', '50'] : [];
  const child = spawn([...first, process.execPath, insideJs, ...argv]);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (err += text.toString()));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${argv[0]}: ${err}`);
  const { delays } = JSON.parse(out) as { delays: (number | null)[] };
  return delays.map((each) => each ?? Number.POSITIVE_INFINITY);
}

interface Figures {
  readonly cgroups: readonly number[];
  readonly updates: readonly number[];
}

async function both({ zone, seed }: Site): Promise<Figures> {
  const [cgroups, updates] = await Promise.all([
    measure(['cgroups', '/sys/fs/cgroup/system.slice', `${runs.cgroups}`], true),
    measure(['updates', zone, `${runs.updates}`, seed]),
  ]);
  return { cgroups, updates };
}

/** 3000 checks without a pause, and the flood, while `work` runs. */
async function underLoad<Result>({ seed }: Site, learned: () => number, work: () => Promise<Result>) {
  const keyId = signingKey(Buffer.from(seed, 'base64url')).verify.id;
  // Names first: what is measured is checks.
  while (learned() === 0) await wait(50);
  const flood = spawn([program, port, floodRate, 600, floodSources, keyId].map(String));
  await wait(1000);
  const [began, before] = [Date.now(), learned()];
  const result = await work();
  const rate = ((learned() - before) / (Date.now() - began)) * 1000;
  await end(flood);
  return { result, rate };
}

mkdirSync(join(tree, 'system.slice'));
const one = site('one');
const whole = await service('one', nbrpc(join(lab.folder, 'one'), one.list) + watchers(one));
const quiet = await both(one);
writeFileSync(one.list, hosts.join('\n'));
const together = await underLoad(one, whole.learned, () => both(one));
await end(whole.child);

const apart = site('apart');
const measured = await service('apart', watchers(apart));
const checker = await service('checker', nbrpc(join(lab.folder, 'checker'), one.list));
const separate = await underLoad(apart, checker.learned, () => both(apart));
for (const child of [measured.child, checker.child]) await end(child);

const row = (name: string, rate: string, what: keyof Figures, figures: Figures): readonly string[] => {
  const values = figures[what];
  const lost = values.filter((each) => !Number.isFinite(each)).length;
  const at = (share: number): string => ms(quantile(values, share));
  const ratio = quantile(values, 0.99) / quantile(quiet[what], 0.99);
  return [name, rate, at(0.5), at(0.95), at(0.99), ratio.toFixed(2), `${lost} of ${values.length}`];
};
const perSecond = (rate: number): string => `${rate.toFixed(0)} checks/s, ${floodRate} forged packets/s`;
for (const [what, title] of [
  ['cgroups', 'from mkdir(2) of a cgroup to the rule in the kernel'],
  ['updates', 'from a genuine packet to the zone file with it'],
] as const) {
  process.stdout.write(`\nMilliseconds ${title}\n\n`);
  printTable(
    ['service', 'load', 'p50', 'p95', 'p99', 'p99 against quiet', 'lost'],
    [
      row('all modules', 'none', what, quiet),
      row('all modules', perSecond(together.rate), what, together.result),
      row('nbrpc in a service of its own', perSecond(separate.rate), what, separate.result),
    ],
  );
}

for (const child of children) for (const pid of family(child.pid ?? 0)) spawnSync('kill', ['-9', `${pid}`]);
await lab.down();
removeCgroup(cgroup);
unguard();
