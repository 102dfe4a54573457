/** What the whole service costs under real systemd: memory by module, CPU when idle, time to READY, reload with 10 000 hosts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Container } from '../test/system/container.ts';
import { bootService, configFile, said, start, unit } from '../test/system/netsteward-service.ts';
import { ms, printTable, quantile } from './_figures.ts';

const starts = Number(process.env.STARTS ?? 10);
const idleSeconds = Number(process.env.SECONDS ?? 120);
const list = '/etc/netsteward/services.list';

/** Every module, in the order in which the rows add them. */
const parts: readonly (readonly [string, string])[] = [
  [
    'the supervisor, nbrpc and its nft-agent',
    '[nbrpc]\ncheck_lists = ["services.list"]\n[nbrpc.control]\nservices = []\n',
  ],
  [
    'cgroup-nft (a process)',
    '[cgroup-nft]\n[[cgroup-nft.group]]\nname = "mail"\nunits = ["mail.service"]\nmark = 0x1000000\n',
  ],
  ['dyndns', '[dyndns]\n[[dyndns.zone]]\nfile = "/var/lib/netsteward/zone"\n'],
  [
    'dnstest, with its server and one resolver',
    '[dnstest]\nname = "@.test.example"\nhash_key_file = "/etc/netsteward/key"\n' +
      '[dnstest.serve]\nbind = ["127.0.0.2:5353"]\nzones = ["test.example"]\n' +
      '[[dnstest.resolver]]\naddress = "127.0.0.1"\n',
  ],
  ['the status page', '[page]\n'],
];
const [[, nbrpcAlone]] = parts as [readonly [string, string]];
const all = parts.map(([, toml]) => toml).join('');

const box = await bootService(all, {
  dropIn: process.env.DROP_IN ?? '',
  files: { '/etc/netsteward/key': 'hash-key\n', '/var/lib/netsteward/zone': '# nothing\n' },
});

interface Usage {
  /** kB: RSS as `ps` adds it up, which has Node's own program in it once for each process. */
  readonly resident: number;
  /** With mapped files counted once, as the machine holds them. */
  readonly once: number;
}

async function pids(): Promise<readonly string[]> {
  const text = readFileSync(join(box.cgroup, 'system.slice', unit, 'cgroup.procs'), 'utf8');
  return text.split('\n').filter(Boolean);
}

/** proc(5), status. */
async function memory(): Promise<Usage> {
  let [resident, own, files] = [0, 0, 0];
  for (const pid of await pids()) {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const of = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
    resident += of('VmRSS');
    own += of('VmRSS') - of('RssFile');
    files = Math.max(files, of('RssFile'));
  }
  return { resident, once: own + files };
}

/** Milliseconds of CPU of all threads of the unit so far. */
async function cpu(): Promise<number> {
  const ticks = (await pids()).map((pid) => {
    const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return user + system;
  });
  return ticks.reduce((sum, each) => sum + each, 0) * 10;
}

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e6;
}

async function stop(from: Container): Promise<void> {
  await from.run(['systemctl', 'stop', unit]);
}

const megabytes = (kilobytes: number): string => `${(kilobytes / 1024).toFixed(1)} MB`;

async function byModule(): Promise<readonly (readonly string[])[]> {
  const rows: (readonly string[])[] = [];
  let before: Usage = { resident: 0, once: 0 };
  let toml = '';
  for (const [name, part] of parts) {
    toml += part;
    await box.write(configFile, toml);
    await start(box);
    await wait(20_000);
    const now = await memory();
    rows.push([
      rows.length === 0 ? name : `+ ${name}`,
      megabytes(now.resident),
      megabytes(now.once),
      megabytes(now.once - before.once),
    ]);
    before = now;
    await stop(box);
  }
  return rows;
}

async function ready(toml: string): Promise<readonly number[]> {
  await box.write(configFile, toml);
  const times: number[] = [];
  for (let run = 0; run < starts; run++) {
    times.push(await timed(() => start(box)));
    await stop(box);
  }
  return times;
}

/** Each with a change at the top of the file, so that there is something to take over. */
async function reloads(hosts: number): Promise<readonly number[]> {
  const names = Array.from({ length: hosts }, (_, index) => `h${index}.example`).join('\n');
  await box.write(list, `${names}\n`);
  await box.write(configFile, all);
  await start(box);
  const times: number[] = [];
  for (let run = 0; run < starts; run++) {
    await wait(1000);
    await box.write(list, `n${run}.example\n${names}\n`);
    await box.write(configFile, `${all}\n[log]\nlevel = "${run % 2 === 0 ? 'debug' : 'info'}"\n`);
    times.push(await timed(() => box.run(['netsteward', 'reload'])));
  }
  await stop(box);
  return times;
}

try {
  printTable(['memory 20 s after its start', 'resident (RSS)', 'mapped files once', 'more'], await byModule());
  await box.write(list, '');
  await box.write(configFile, all);
  await start(box);
  await wait(30_000);
  const before = await cpu();
  await wait(idleSeconds * 1000);
  const share = (await cpu()) - before;
  process.stdout.write(
    `\nCPU when idle, all modules: ${(share / idleSeconds / 10).toFixed(2)} % of a core (${share} ms in ${idleSeconds} s)\n\n`,
  );
  await stop(box);
  const bare = await ready(nbrpcAlone);
  const whole = await ready(all);
  const few = await reloads(10);
  const many = await reloads(10_000);
  const row = (name: string, times: readonly number[]): readonly string[] => [
    name,
    ms(quantile(times, 0.5)),
    ms(quantile(times, 0.95)),
  ];
  printTable(
    ['milliseconds', 'p50', 'p95'],
    [
      row('`systemctl start` to READY, the supervisor and nbrpc', bare),
      row('`systemctl start` to READY, all modules', whole),
      row('`netsteward reload`, 10 hosts', few),
      row('`netsteward reload`, 10 000 hosts', many),
    ],
  );
} catch (error) {
  process.stderr.write(`${await said(box)}\n`);
  throw error;
} finally {
  await box.stop();
}
