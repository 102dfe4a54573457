/** curl's side of bench/checks.ts: one process a pass, fed as nbrpc.py feeds it (contract, section 10). */
import { once } from 'node:events';
import { userAgent } from '../src/system/linux/http-probe-exchange.ts';
import { type Bundle, type Check, type ChecksLab, family, usageOf } from './_checks-lab.ts';

export interface CurlRun {
  /** Milliseconds. */
  readonly wall: number;
  /** Milliseconds of CPU of the whole process. */
  readonly cpu: number;
  readonly peakMegabytes: number;
  /** Transfers that curl has told the end of. */
  readonly verdicts: number;
  /** Those that were answered with 200. */
  readonly answers: number;
}

function config(list: readonly Check[], timeout: number): string {
  const transfer = ({ host, address }: Check): string =>
    [
      `url = "https://${host}:443/"`,
      `resolve = "${host}:443:${address}"`,
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
    ].join('\n');
  return list.map(transfer).join('\nnext\n');
}

/** `timeout`: seconds; `kill`: seconds after which the original gives up on curl (SIGALRM at 1.5 times the time-out). */
export async function runCurl(
  lab: ChecksLab,
  bundle: Bundle,
  list: readonly Check[],
  timeout: number,
  kill = 600,
): Promise<CurlRun> {
  const curl = `curl --disable --config - --parallel --parallel-immediate --max-time ${timeout}`;
  // Lines that curl has written count even if it is ended: more than the original gets.
  const command = `timeout --foreground ${kill} stdbuf -oL ${curl}`;
  // bash's `time` adds up what wait4(2) tells of its children.
  const child = lab.spawn(bundle, ['bash', '-c', `TIMEFORMAT="cpu %U %S"; time ${command} 2>/dev/null`]);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => (out += chunk));
  child.stderr?.on('data', (chunk) => (err += chunk));
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, peakBelow(child.pid ?? 0))), 20);
  const start = performance.now();
  child.stdin?.on('error', () => {}).end(config(list, timeout));
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

function peakBelow(pid: number): number {
  const peaks = family(pid).map((each) => {
    try {
      return usageOf(each).peak;
    } catch {
      return 0;
    }
  });
  return Math.max(0, ...peaks);
}
