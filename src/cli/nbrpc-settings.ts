/** The flags of `netsteward nbrpc` as values: timers, limits, modes; every mistake is one clear message (pure). */
import { NetstewardError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { parseToken } from '../nbrpc/check-list.ts';
import type { ListEntry } from '../nbrpc/model.ts';
import { type Policy, parsePolicy } from '../nbrpc/policy-spec.ts';
import type { Limits, Timers } from '../nbrpc/settings.ts';
import { parseZoneSpec, type ZoneFormat, type ZoneSpec, zoneFormats } from '../nbrpc/zone.ts';
import type { NbrpcFlags } from './nbrpc.ts';

/** nbrpc.py ends with this where a timer or limit is wrong, and a unit file may know it. */
export class BadSetting extends NetstewardError {
  override name = 'BadSetting';
}

const intervals = {
  checks: 240,
  host_addrs: 420,
  addr_state: 54_000,
  host_ok_state: 147_600,
  host_na_state: 36_000,
  db_reopen: 18_000,
};
const timeouts = { host_addr: 1_036_800, addr_check: 30.0, log_td_info: 90.0, kill: 8.0, policy_cmd: 30.0 };
const fractional: ReadonlySet<string> = new Set(['addr_check', 'log_td_info', 'kill', 'policy_cmd']);
const limits = { iter_hosts: 9, iter_addrs: 32, addrs_per_host: 18 };

export interface NbrpcSettings {
  /** Seconds. */
  readonly intervals: Readonly<typeof intervals>;
  /** Seconds. */
  readonly timeouts: Readonly<typeof timeouts>;
  readonly timers: Timers;
  readonly limits: Limits;
  readonly defaultPolicy: Policy;
  readonly zones: readonly ZoneSpec[];
  readonly zoneFormat: ZoneFormat;
  /** Services that tell whether the fault is on the own side; absent: those of the configuration's default. */
  readonly control: readonly ListEntry[] | undefined;
  /** -n */
  readonly checks: number | undefined;
  /** --now, seconds. */
  readonly now: number | undefined;
}

/** Throws BadSetting for -i, -t and -l, else NetstewardError `usage`. */
export function parseSettings(flags: NbrpcFlags): NbrpcSettings {
  const i = parsePairs('-i', flags.interval, intervals);
  const t = parsePairs('-t', flags.timeout, timeouts);
  const l = parsePairs('-l', flags.limit, limits);
  const policy = parsePolicy(flags.checkListDefaultPolicy ?? 'af-all');
  if (!policy.ok) throw usage(`-p: ${policy.message}`);
  const zoneFormat = zoneFormats.find((format) => format === flags.zoneFormat);
  if (zoneFormat === undefined) throw usage(`-z must be one of ${zoneFormats.join(', ')}`);
  return {
    intervals: i,
    timeouts: t,
    timers: {
      hostAddrs: i.host_addrs,
      addrState: i.addr_state,
      hostOkState: i.host_ok_state,
      hostNaState: i.host_na_state,
      hostAddrTimeout: t.host_addr,
    },
    limits: { iterHosts: l.iter_hosts, iterAddrs: l.iter_addrs, addrsPerHost: l.addrs_per_host },
    defaultPolicy: policy.policy,
    zones: flags.zoneFor.map(parseZoneSpec),
    zoneFormat,
    control: flags.controlService.length === 0 ? undefined : parseControl(flags.controlService),
    checks: flags.forceNChecks === undefined ? undefined : count('-n', flags.forceNChecks),
    now: flags.now === undefined ? undefined : seconds('--now', flags.now),
  };
}

function parsePairs<Values extends Readonly<Record<string, number>>>(
  flag: string,
  pairs: readonly string[],
  defaults: Values,
): Values {
  const values: Record<string, number> = { ...defaults };
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = nameOf(pair);
    const text = equals < 0 ? '' : pair.slice(equals + 1).trim();
    if (!Object.hasOwn(defaults, name)) {
      throw new BadSetting('usage', `${flag} ${pair}: unknown name; one of ${Object.keys(defaults).join(', ')}`);
    }
    const form = fractional.has(name) ? /^\d+(?:\.\d*)?$|^\.\d+$/ : /^\d+$/;
    if (!form.test(text) || Number(text) > Number.MAX_SAFE_INTEGER) {
      const what = fractional.has(name) ? 'a number' : 'a whole number';
      throw new BadSetting('usage', `${flag} ${pair}: must be ${name}=${what}`);
    }
    values[name] = Number(text);
  }
  return values as Values;
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return (equals < 0 ? pair : pair.slice(0, equals)).trim().replaceAll('-', '_');
}

/** Which of -i, -t and -l were given. */
export function givenNames(flags: NbrpcFlags): ReadonlySet<string> {
  return new Set([...flags.interval, ...flags.timeout, ...flags.limit].map(nameOf));
}

/** Tokens as in a check list. Throws NetstewardError `usage`. */
export function parseControl(tokens: readonly string[]): readonly ListEntry[] {
  return tokens.map((token) => {
    const parsed = parseToken(token);
    if (!parsed.ok) throw usage(`--control-service ${parsed.message}`);
    const { entry } = parsed;
    if (['https', 'http'].includes(entry.check.type)) return entry;
    throw usage(`--control-service ${printable(token)}: must be an http or https check`);
  });
}

function count(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usage(`${flag} must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function seconds(flag: string, text: string): number {
  if (!/^\d{1,12}(?:\.\d+)?$/.test(text)) {
    throw usage(`${flag} must be seconds since the epoch, not ${JSON.stringify(text)}`);
  }
  return Number(text);
}

export function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message);
}
