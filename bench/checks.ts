/** HTTPS checks: netsteward against `curl --parallel`, fed as the contract says (section 10), on the same local server. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority } from '../src/lab/certificates.ts';
import type { Job, Report } from './_checks-ours.ts';
import { insideNamespace, print } from './_namespace.ts';

const systemBundle = '/etc/ssl/certs/ca-certificates.crt';
const port = 8443;

const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0';

interface CurlRun {
  readonly wall: number;
  readonly cpu: number;
  readonly peakMegabytes: number;
  readonly verdicts: number;
  readonly answers: number;
}

type Check = Job['checks'][number];

/** Every check has an address of its own; those in 127.2/16 drop packets in the second table. */
function checks(count: number, dropped = 0): Check[] {
  return Array.from({ length: count }, (_, i) => ({
    host: `h${i}.example.test`,
    address: `127.${i % 10 < dropped * 10 ? 2 : 1}.${i >> 8}.${i & 255}`,
  }));
}

function curlConfig(list: readonly Check[], timeout: number, caFile: string | undefined): string {
  const transfer = ({ host, address }: Check): string =>
    [
      `url = "https://${host}:${port}/"`,
      `resolve = "${host}:${port}:${address}"`,
      `user-agent = "${userAgent}"`,
      `connect-timeout = ${timeout}`,
      `max-time = ${timeout}`,
      'silent',
      'disable',
      'globoff',
      'fail',
      'no-keepalive',
      'no-sessionid',
      'write-out = "%{http_code}\\n"',
      'output = /dev/null',
      ...(caFile === undefined ? [] : [`cacert = "${caFile}"`]),
    ].join('\n');
  return list.map(transfer).join('\nnext\n');
}

/** `kill`: seconds after which the original gives up on curl (SIGALRM at 1.5 times the time-out). */
async function runCurl(list: readonly Check[], timeout: number, caFile?: string, kill = 600): Promise<CurlRun> {
  const curl = 'curl --disable --config - --parallel --parallel-immediate';
  // Lines that curl has written count even if it is ended: more than the original gets.
  const limit = `timeout --foreground ${kill} stdbuf -oL ${curl} --max-time ${timeout}`;
  // bash's `time` adds up what wait4(2) tells of its children.
  const child = spawn('bash', ['-c', `TIMEFORMAT="cpu %U %S"; time ${limit} 2>/dev/null`], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, peakOf(child.pid ?? 0))), 20);
  const start = performance.now();
  child.stdin.on('error', () => {}).end(curlConfig(list, timeout, caFile));
  await once(child, 'close');
  const wall = performance.now() - start;
  clearInterval(watch);
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(err) ?? [];
  const codes = out.split('\n').filter((line) => line !== '');
  return {
    wall,
    cpu: (Number(user) + Number(system)) * 1000,
    peakMegabytes: peak / 1024,
    verdicts: codes.length,
    answers: codes.filter((code) => code === '200').length,
  };
}

/** VmHWM in kB of the largest process below `pid`. */
function peakOf(pid: number): number {
  try {
    const own = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return Math.max(own, ...children.map((child) => peakOf(Number(child))));
  } catch {
    return 0;
  }
}

async function runOurs(
  list: readonly Check[],
  timeout: number,
  passes: number,
  bundle?: string,
): Promise<readonly Report[]> {
  const child = fork(join(import.meta.dirname, '_checks-ours.js'));
  child.send({
    port,
    timeout: timeout * 1000,
    passes,
    checks: list,
    ...(bundle === undefined ? {} : { bundle }),
  } satisfies Job);
  const [reports] = await once(child, 'message');
  await once(child, 'exit');
  return reports as readonly Report[];
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
const seconds = (value: number): string => `${(value / 1000).toFixed(2)} s`;
const megabytes = (value: number): string => `${Math.round(value)} MB`;

async function speed(twoFile: string): Promise<void> {
  print('CPU: user and system time for one check. curl: its whole process, as the original starts one for every pass.');
  print('netsteward: its running process, in the first pass and in the tenth (of 3000 checks: the second).');
  print(
    'Goals, with the system’s bundle: at least 8 times less CPU than curl; with two CA certificates: no more than 1.3',
  );
  print('times curl’s; 3000 checks within 150 MB.\n');
  print(
    '| checks | CA file | curl: wall | CPU | peak | netsteward: wall | CPU, first pass | later | peak | later CPU : curl’s |',
  );
  print('|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|');
  for (const [label, file] of [
    ['two certificates', twoFile],
    ['system’s bundle', undefined],
  ] as const) {
    for (const count of [32, 300, 3000]) {
      const list = checks(count);
      const reports = await runOurs(list, 30, count < 3000 ? 10 : 2, file);
      const curl = await runCurl(list, 30, file);
      const [first, last] = [reports[0], reports.at(-1)];
      if (first === undefined || last === undefined) throw new Error('no report');
      for (const [name, answers] of [
        ['netsteward', Math.min(first.answers, last.answers)],
        ['curl', curl.answers],
      ] as const) {
        if (answers !== count) throw new Error(`${name}: only ${answers} of ${count} checks were answered`);
      }
      const ratio = last.cpu / curl.cpu;
      const cells = [
        count,
        label,
        seconds(curl.wall),
        ms(curl.cpu / count),
        megabytes(curl.peakMegabytes),
        seconds(first.wall),
        ms(first.cpu / count),
        ms(last.cpu / count),
        megabytes(last.peakMegabytes),
        ratio < 0.5 ? `1 : ${(1 / ratio).toFixed(1)}` : `${ratio.toFixed(2)} : 1`,
      ];
      print(`| ${cells.join(' | ')} |`);
    }
  }
}

async function drops(twoFile: string): Promise<void> {
  const list = checks(3000, 0.3);
  const [ours] = await runOurs(list, 5, 1, twoFile);
  const curl = await runCurl(list, 5, twoFile, 7.5);
  if (ours === undefined) throw new Error('no report');
  print(
    '\n3000 checks, 30 % of the addresses drop packets, time-out 5 s, two CA certificates. Goal: all have a verdict within',
  );
  print('8 s. curl is ended after 7.5 s, as the original does; what is unfinished then has no verdict.\n');
  print('| | verdicts within 8 s | of them working | last verdict |');
  print('|---|---:|---:|---:|');
  print(`| netsteward | ${ours.within8s} | ${ours.answers} | ${seconds(ours.lastVerdict)} |`);
  print(`| curl | ${curl.verdicts} | ${curl.answers} | ended at ${seconds(curl.wall)} |`);
}

async function main(): Promise<void> {
  const folder = mkdtempSync('/run/bench-');
  const authority = new CertificateAuthority(Date.now());
  const other = new CertificateAuthority(Date.now());
  const { key, cert } = authority.issue('*.example.test');
  const path = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const twoFile = path('two.pem', authority.certificate + other.certificate);
  writeFileSync('/run/bundle.pem', readFileSync('/run/bundle.pem', 'utf8') + authority.certificate);
  const server = spawn(
    process.execPath,
    [join(import.meta.dirname, '_checks-server.js'), path('key.pem', key), path('cert.pem', cert), String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await once(server.stdout, 'data');
    await speed(twoFile);
    const nft = spawn('nft', [
      'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c ip daddr 127.2.0.0/16 drop',
    ]);
    await once(nft, 'close');
    await drops(twoFile);
  } finally {
    server.kill();
    rmSync(folder, { recursive: true });
  }
}

// The system's bundle with one more certificate takes its place, in this namespace alone.
if (insideNamespace(`cp ${systemBundle} /run/bundle.pem && mount --bind /run/bundle.pem ${systemBundle}`)) await main();
