/** HTTPS checks in the lab: netsteward against `curl --parallel`, fed as the contract says (section 10), from the same router. */
import { once } from 'node:events';
import { join } from 'node:path';
import { runCurl } from './_checks-curl.ts';
import { runDaemon } from './_checks-daemon.ts';
import { type Bundle, bundles, type Check, ChecksLab, checks } from './_checks-lab.ts';
import type { Job, Report } from './_checks-ours.ts';
import { printTable, quantile } from './_figures.ts';

async function runAlone(lab: ChecksLab, bundle: Bundle, job: Job): Promise<Report> {
  const child = lab.spawn(bundle, [process.execPath, join(import.meta.dirname, '_checks-ours.js')]);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => (out += chunk));
  child.stderr?.on('data', (chunk) => (err += chunk));
  child.stdin?.end(JSON.stringify(job));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Report;
}

const print = (text: string): void => void process.stdout.write(text);
const milliseconds = (value: number): string => `${value.toFixed(2)} ms`;
const seconds = (value: number): string => `${(value / 1000).toFixed(2)} s`;
const megabytes = (value: number): string => `${Math.round(value)} MB`;
const ratio = (ours: number, curls: number): string =>
  ours < curls / 2 ? `1 : ${(curls / ours).toFixed(1)}` : `${(ours / curls).toFixed(2)} : 1`;

interface Row {
  readonly count: number;
  readonly bundle: Bundle;
  readonly cpu: readonly string[];
  readonly daemon: readonly string[];
  readonly trust: number;
}

async function compared(lab: ChecksLab, bundle: Bundle, list: readonly Check[]): Promise<Row> {
  const count = list.length;
  const passes = count < 1000 ? 4 : 2;
  const curl = await runCurl(lab, bundle, list, 30);
  const alone = await runAlone(lab, bundle, { checks: list, passes: count < 1000 ? 10 : 3 });
  const daemon = await runDaemon(lab, { checks: list, bundle, timeout: 30, passes });
  for (const [name, answers] of [
    ['curl', curl.answers],
    ['netsteward', daemon.working],
  ] as const) {
    if (answers !== count) throw new Error(`${name}: only ${answers} of ${count} checks were answered`);
  }
  const median = (values: readonly number[]): number => quantile(values, 0.5);
  const [first = Number.NaN, ...later] = alone.passes;
  const wholes = daemon.passes.map(({ cpu }) => cpu);
  const [wholeFirst = Number.NaN, ...wholeLater] = wholes;
  const each = (cpu: number): string => milliseconds(cpu / count);
  return {
    count,
    bundle,
    trust: alone.trust,
    cpu: [
      each(curl.cpu),
      `${each(first)} (${ratio(first, curl.cpu)})`,
      `${each(median(later))} (${ratio(median(later), curl.cpu)})`,
      `${each(wholeFirst)} (${ratio(wholeFirst, curl.cpu)})`,
      `${each(median(wholeLater))} (${ratio(median(wholeLater), curl.cpu)})`,
    ],
    daemon: [
      seconds(curl.wall),
      seconds(median(daemon.passes.map(({ wall }) => wall))),
      megabytes(curl.peakMegabytes),
      megabytes(daemon.peakMegabytes),
    ],
  };
}

async function speed(lab: ChecksLab): Promise<void> {
  const rows: Row[] = [];
  for (const bundle of bundles) {
    for (const count of [32, 300, 3000]) rows.push(await compared(lab, bundle, checks(count)));
  }
  const label = ({ count, bundle }: Row): readonly string[] => [`${count}`, bundle];
  print('CPU, user and system, of one check. curl: its whole process, as the original starts one for every pass.\n\n');
  printTable(
    [
      'checks',
      'CA certificates',
      'curl',
      'the checks alone, first pass',
      'later passes',
      '`netsteward run`, first pass',
      'later passes',
    ],
    rows.map((row) => [...label(row), ...row.cpu]),
  );
  print('\n');
  printTable(
    [
      'checks',
      'CA certificates',
      'curl: wall',
      '`netsteward run`: wall',
      'curl: peak memory',
      '`netsteward run`: peak',
    ],
    rows.map((row) => [...label(row), ...row.daemon]),
  );
  const trust = (wanted: Bundle): string =>
    milliseconds(Math.min(...rows.filter(({ bundle }) => bundle === wanted).map((row) => row.trust)));
  print(
    `\nCPU once for a process, at its start, to read the CA certificates: ${bundles.map((each) => `${trust(each)} (${each})`).join(', ')}.\n`,
  );
}

async function drops(lab: ChecksLab): Promise<void> {
  const list = checks(3000);
  await lab.dropThirtyPercent();
  const curl = await runCurl(lab, bundles[0], list, 5, 7.5);
  const { passes, working, failing } = await runDaemon(lab, {
    checks: list,
    bundle: bundles[0],
    timeout: 5,
    passes: 1,
  });
  print('\n3000 checks, 30 % of the addresses drop packets, time-out 5 s.\n\n');
  printTable(
    ['', 'verdicts', 'of them working', 'last verdict'],
    [
      ['`netsteward run`', `${working + failing}`, `${working}`, seconds(passes[0]?.wall ?? Number.NaN)],
      ['curl, ended after 7.5 s', `${curl.verdicts}`, `${curl.answers}`, seconds(curl.wall)],
    ],
  );
}

const lab = await ChecksLab.up();
try {
  await speed(lab);
  await drops(lab);
} finally {
  await lab.down();
}
