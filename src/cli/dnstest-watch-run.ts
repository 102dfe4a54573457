/** One run of `netsteward dnstest watch`: until a resolver has failed, or until a signal ends it. */
import type { Clock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import { type Rhythm, shareOf } from '../dnstest/continuous.ts';
import type { Cure } from '../dnstest/cures.ts';
import { expectFping } from '../dnstest/fping.ts';
import { type GuardSettings, guardTime, networkState } from '../dnstest/guard.ts';
import { readHostPort } from '../dnstest/host-port.ts';
import { foot } from '../dnstest/ladder.ts';
import type { DnsWatchPorts } from '../dnstest/ports.ts';
import { Prober } from '../dnstest/prober.ts';
import { type Watched, Watches } from '../dnstest/watches.ts';
import type { Notifier } from '../system/ports.ts';
import { checkExits } from './dnstest-check.ts';
import { type CheckPlan, planChecks } from './dnstest-check-plan.ts';
import { planned } from './dnstest-planned.ts';
import type { CureFlag, WatchOptions } from './dnstest-watch.ts';
import { openLog } from './log-output.ts';

/** Milliseconds. */
const minute = 60_000;
const commandTimeout = 2 * minute;
const guardTimeout = 30_000;
const defaults = {
  settle: 3000,
  rest: 15 * minute,
  longestRest: 24 * 60 * minute,
  calm: 60 * minute,
  grace: 5 * minute,
};

export interface WatchPlan extends CheckPlan {
  readonly rhythm: Rhythm;
  readonly guard: GuardSettings;
  readonly cures: readonly Cure[];
}

/** Throws NetstewardError `usage` and `dnstest-key`. */
export function planWatch(options: WatchOptions): WatchPlan {
  const { continuous = '150:6:100', tcp = [], ping, uplink = false, cures = [], settle = defaults.settle } = options;
  const guardTcp = tcp.map((text) => {
    const read = readHostPort(text);
    if (read === undefined) throw usage(`--tcp: "${text}" is no numeric address with a port, such as 192.0.2.1:443`);
    return read;
  });
  const rhythm = readRhythm(continuous);
  // As the original alone, retries keep its time: what -c says counts from check to check there.
  const share = (options.resolver ?? []).length > 0 ? shareOf(rhythm, cures.length) : undefined;
  return {
    ...planChecks(options),
    rhythm: { ...rhythm, share },
    guard: { uplink, ping: ping === undefined ? [] : [ping], tcp: guardTcp, timeout: guardTimeout },
    cures: cures.map((flag) => cureOf(flag, settle)),
  };
}

/** `interval:retries:timeout`, numbers with fractions, the retries rounded. Throws NetstewardError `usage`. */
export function readRhythm(text: string): Rhythm {
  const parts = text.split(':');
  const [interval = Number.NaN, retries = Number.NaN, timeout = Number.NaN] = parts.map((part) =>
    /^\s*\d*\.?\d+\s*$|^\s*\d+\.\s*$/.test(part) ? Number(part) : Number.NaN,
  );
  if (parts.length !== 3 || Number.isNaN(interval + retries + timeout)) {
    throw usage(`--continuous: "${text}" is not interval:retries:timeout, such as 150:6:100 (seconds)`);
  }
  return { interval: interval * 1000, retries: Math.round(retries), timeout: timeout * 1000 };
}

function cureOf({ kind, what }: CureFlag, settle: number): Cure {
  const common = { timeout: commandTimeout, settle };
  return kind === 'reload' || kind === 'restart'
    ? { kind, unit: what, ...common }
    : { kind, command: ['/bin/sh', '-c', what], ...common };
}

export async function runDnsWatch(options: WatchOptions): Promise<number> {
  const plan = await planned(options, planWatch);
  if (plan === undefined) return checkExits.usage;
  const log = openLog(process.env);
  log.configure({ level: options.debug === true ? 'debug' : 'info', format: 'auto' });
  const { composeDnsWatch, composeWatchNotifier } = await import('./compose-dnstest-watch.ts');
  const ports = await composeDnsWatch(log.logger, options.caFile);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
  if (plan.guard.ping.length > 0) await expectFping(ports.commands, stop.signal);
  const { notifier, watchdogInterval } = composeWatchNotifier();
  const watches = new Watches({
    clock: ports.clock,
    log: ports.log,
    watched: watched(plan, ports, options),
    store: undefined,
    ladders: () => foot,
  });
  const service = serve(notifier, watchdogInterval, ports.clock, watches);
  try {
    if (plan.cures.length > 0) await watches.run(stop.signal);
    else await watches.untilFailed(stop.signal);
    return end(checkExits.failing);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    notifier.notify({ STOPPING: '1' });
    return end(exitCodes.ok);
  } finally {
    service.stop();
    stop.abort();
  }
}

function watched(plan: WatchPlan, ports: DnsWatchPorts, options: WatchOptions): readonly Watched[] {
  const { rest = defaults.rest, calm = defaults.calm } = options;
  // Without cures it fails when the original does.
  const grace = plan.cures.length > 0 ? defaults.grace : 0;
  const longestRest = Math.max(rest, defaults.longestRest);
  const { share = 0 } = plan.rhythm;
  const settings = { ...plan.rhythm, guard: guardTime(plan.guard, share), rest, calm, longestRest, grace };
  return plan.probers.map((prober) => {
    const asked = new Prober(prober, ports);
    return {
      label: asked.label,
      settings,
      cures: plan.cures,
      ports: {
        commands: ports.commands,
        switches: ports.switches,
        check: (signal, within) => asked.check(signal, within),
        checkOther: () => Promise.reject(new Error('only a fallback asks another resolver')),
        network: (signal, within) => networkState(plan.guard, ports, signal, within),
      },
    };
  });
}

/** Tells systemd that it works, and how the resolvers are; the message also feeds the watchdog. */
function serve(notifier: Notifier, interval: number | undefined, clock: Clock, watches: Watches): { stop(): void } {
  let stopped = false;
  const tell = (ready: Readonly<Record<string, string>>): void => {
    if (stopped) return;
    const failing = watches.all.filter(({ state }) => state.failing !== undefined).map(({ label }) => label);
    const status =
      failing.length === 0 ? `${watches.all.length} resolver(s) watched` : `failing: ${failing.join(', ')}`;
    notifier.notify({ ...ready, STATUS: status });
    timer = clock.after(Math.min(interval ?? 10_000, 10_000), () =>
      tell(interval === undefined ? {} : { WATCHDOG: '1' }),
    );
  };
  let timer = clock.after(0, () => {});
  tell({ READY: '1' });
  return {
    stop: () => {
      stopped = true;
      timer.cancel();
    },
  };
}

/** A lookup that nobody waits for any more still holds a thread, and Node would wait for it: up to 10 s a server of resolv.conf. */
function end(code: number): never {
  process.exit(code);
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message, { remedy: 'See netsteward dnstest watch --help.' });
}
