/** One run of `netsteward nbrpc`: print, export, alternative route, forced checks, or the loop. */
import { randomInt } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { formatLines, policyLines } from '../nbrpc/policy.ts';
import { printState, timeFormat } from '../nbrpc/print.ts';
import { StateStore } from '../nbrpc/store.ts';
import { printZone } from '../nbrpc/zone.ts';
import type { NbrpcFlags, Terminal } from './nbrpc.ts';
import { policyHook } from './nbrpc-hooks.ts';
import { type Hooks, NbrpcLoop } from './nbrpc-loop.ts';
import { BadSetting, type NbrpcSettings, parseSettings, usage } from './nbrpc-settings.ts';
import { Signals } from './nbrpc-signals.ts';
import { openSources } from './nbrpc-sources.ts';

/** What nbrpc.py ends with for a timer or limit that it does not know. */
const badSetting = 2;

export async function runNbrpc(flags: NbrpcFlags, to: Terminal): Promise<ExitCode | typeof badSetting> {
  let settings: NbrpcSettings;
  try {
    settings = parseSettings(flags);
  } catch (error) {
    if (!(error instanceof BadSetting)) throw error;
    to.error(`netsteward nbrpc: ${error.message}\n`);
    return badSetting;
  }
  const time = zoneTime(flags.tz);
  if (flags.replayLog !== undefined) {
    const { replayLog } = await import('./nbrpc-replay-log.ts');
    return replayLog(flags.replayLog, flags, settings, time, to);
  }
  const readOnly = flags.printState === true || settings.zones.length > 0 || flags.debugCurlCmd === true;
  if (!readOnly && flags.failingChecks !== true && flags.checkListFile.length === 0) {
    throw usage('name at least one check list with -f PATH');
  }
  const signals = new Signals();
  let store: StateStore | undefined;
  // Also where the process ends at once, as when the reader of its output has gone.
  const close = (): void => store?.close();
  process.on('exit', close);
  try {
    const { composeNbrpcPorts } = await import('./compose.ts');
    const { clock, files, store: sqlite } = await composeNbrpcPorts();
    const open = (): StateStore => {
      close();
      store = StateStore.open({ store: sqlite, path: flags.db, clock });
      return store;
    };
    const first = open();
    const { state } = first;
    if (flags.printState === true) {
      to.out(printState(state, { time, width: widthOf(to) }));
      return exitCodes.ok;
    }
    if (settings.zones.length > 0) {
      const serial = Math.floor(settings.now ?? clock.now() / 1000);
      const shape = { format: settings.zoneFormat, random: () => randomInt(2 ** 32) / 2 ** 32, serial };
      to.out(printZone(state, settings.zones, settings.defaultPolicy, shape));
      return exitCodes.ok;
    }
    const say = (level: 'debug' | 'info' | 'warning' | 'error', text: string): void => {
      if (level === 'debug' && flags.debug !== true) return;
      if (level === 'info' && flags.quiet === true) return;
      to.error(`nbrpc: ${level}: ${text}\n`);
    };
    const options = { flags, settings, clock, files, signals, say };
    if (flags.debugCurlCmd === true) {
      const { curlCommands, knownChecks } = await import('./nbrpc-curl.ts');
      const { probeUserAgent } = await import('./compose.ts');
      const known = await knownChecks(state, options);
      to.out(curlCommands(known, settings.timeouts.addr_check, await probeUserAgent()));
      return exitCodes.ok;
    }
    const sources = await openSources(flags, settings);
    const hooks = hooksOf(flags, settings, to, clock);
    return await new NbrpcLoop({ ...options, store: first, reopen: open, sources, hooks }).run();
  } finally {
    process.off('exit', close);
    close();
    // Else a second Ctrl-C at the wrong moment would turn exit code 0 into an end by a signal.
    if (to.last !== true) signals.close();
  }
}

/** Of printed lines. */
export function widthOf({ columns }: Terminal): number {
  // A terminal that was never told its size says 0.
  return columns === undefined || columns === 0 ? 110 : Math.max(20, columns - 16);
}

function hooksOf(flags: NbrpcFlags, settings: NbrpcSettings, to: Terminal, clock: Clock): Hooks {
  const { policy_cmd: timeout, kill } = settings.timeouts;
  const make = (value: string | undefined) =>
    value === undefined
      ? undefined
      : policyHook(value, { clock, out: to.out, socket: flags.policySocket === true, timeout, kill });
  return {
    update: make(flags.policyUpdateCmd),
    replace: make(flags.policyReplaceCmd),
    dump: (state) => formatLines(policyLines(state, settings.defaultPolicy)),
  };
}

function zoneTime(zone: string | undefined): (seconds: number) => string {
  try {
    return timeFormat(zone);
  } catch (error) {
    throw new NetstewardError('usage', `--tz ${zone}: ${describeError(error)}`, {
      remedy: 'Name a zone such as UTC or Europe/Berlin.',
    });
  }
}
