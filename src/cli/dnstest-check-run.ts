/** One run of `netsteward dnstest check`: all resolvers at the same time, then what to say of them, and the exit code. */
import { exitCodes } from '../core/exit-codes.ts';
import { blameOf, type CheckResult, provesNetwork } from '../dnstest/check-result.ts';
import { expectFping, pinged } from '../dnstest/fping.ts';
import { Prober } from '../dnstest/prober.ts';
import type { Commands } from '../system/ports.ts';
import { composeDnsCheck } from './compose-dnstest-check.ts';
import { type CheckOptions, checkExits } from './dnstest-check.ts';
import { planChecks } from './dnstest-check-plan.ts';
import { planned } from './dnstest-planned.ts';
import { printError, printJson } from './output.ts';

interface Checked {
  readonly resolver: string;
  readonly result: CheckResult;
}

/** Milliseconds; fping gives up by itself, but for the name of a host that nobody resolves. */
const pingTimeout = 30_000;

export async function runDnsCheck(options: CheckOptions): Promise<number> {
  const plan = await planned(options, planChecks);
  if (plan === undefined) return checkExits.usage;
  const ports = await composeDnsCheck(options.caFile);
  const { signal } = new AbortController();
  if (options.ping !== undefined) await expectFping(ports.commands, signal);
  const checked = await Promise.all(
    plan.probers.map(async (prober): Promise<Checked> => {
      const { label, result } = await checkOnce(new Prober(prober, ports), signal);
      return { resolver: label, result };
    }),
  );
  const down = await isNetworkDown(checked, options.ping, ports.commands, signal);
  if (options.json === true)
    printJson({ ok: exitOf(checked, down) === checkExits.right, networkDown: down, results: checked.map(asJson) });
  else tell(checked, down, options.debug === true);
  return end(exitOf(checked, down), checked);
}

async function checkOnce(prober: Prober, signal: AbortSignal): Promise<{ label: string; result: CheckResult }> {
  return { label: prober.label, result: await prober.check(signal) };
}

const failing = (checked: readonly Checked[]): readonly Checked[] =>
  checked.filter(({ result }) => result.failure !== undefined);

function exitOf(checked: readonly Checked[], networkDown: boolean): number {
  const bad = failing(checked);
  if (bad.length === 0 || networkDown) return checkExits.right;
  return bad.some(({ result }) => blameOf(result) === 'resolver') ? checkExits.failing : exitCodes.failure;
}

/** A wrong address is an answer, so the network is up, whatever a ping says (contracts/dnstest.md, section 6). */
async function isNetworkDown(
  checked: readonly Checked[],
  host: string | undefined,
  commands: Commands,
  signal: AbortSignal,
): Promise<boolean> {
  const bad = failing(checked);
  if (host === undefined || bad.length === 0 || bad.some(({ result }) => provesNetwork(result))) return false;
  const answer = await pinged(host, pingTimeout, commands, signal);
  // A guard that knows nothing excuses nothing: else a check without its rights would never fail.
  if (answer === undefined) printError('netsteward: warning: fping could not ask, so the failure counts\n');
  return answer === false;
}

function tell(checked: readonly Checked[], networkDown: boolean, debug: boolean): void {
  for (const one of checked) {
    const { resolver, result } = one;
    if (result.failure !== undefined) printError(`netsteward: ${resolver}: ${result.failure.text}${more(one)}\n`);
    else if (debug) printError(`netsteward: ${resolver}: ${result.name} is right, after ${took(result)} ms\n`);
  }
  if (networkDown) printError('netsteward: the network is down (no answer to the ping): this does not count\n');
}

function more(checked: Checked): string {
  const { control } = checked.result;
  if (blameOf(checked.result) === 'zone') {
    const or = provesNetwork(checked.result) ? ', or served with another key' : '';
    return `; the zone's own server gives no right answer either: the test zone is down${or}`;
  }
  return control === 'right' ? "; the zone's own server answers right: it is the resolver" : '';
}

const took = ({ elapsed }: CheckResult): number => Math.round(elapsed * 10) / 10;

function asJson({ resolver, result }: Checked): Record<string, unknown> {
  const { name, failure, control } = result;
  return {
    resolver,
    name,
    ok: failure === undefined,
    elapsedMs: took(result),
    ...(failure === undefined ? {} : { kind: failure.kind, text: failure.text }),
    ...(control === undefined ? {} : { control }),
  };
}

/** A lookup that we stopped waiting for still holds a thread, and Node would wait for it: up to 10 s a server of resolv.conf. */
function end(code: number, checked: readonly Checked[]): number {
  const hangs = checked.some(({ resolver, result }) => resolver === 'system' && result.failure?.kind === 'timeout');
  if (hangs) process.exit(code);
  return code;
}
