/** `netsteward nbrpc --replay-log`: what the recorded inputs lead to, with the recorded settings or with others. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { DecideSettings } from '../nbrpc/decide.ts';
import { printState } from '../nbrpc/print.ts';
import { LogReplay } from '../nbrpc/replay-log.ts';
import type { NbrpcFlags, Terminal } from './nbrpc.ts';
import { widthOf } from './nbrpc-run.ts';
import { givenNames, type NbrpcSettings } from './nbrpc-settings.ts';

/** Prints each transition, or with -P the state that it ends in. Touches no state file. */
export async function replayLog(
  path: string,
  flags: NbrpcFlags,
  settings: NbrpcSettings,
  time: (seconds: number) => string,
  to: Terminal,
): Promise<ExitCode> {
  const replay = new LogReplay((logged) => withFlags(logged, flags, settings));
  try {
    for await (const line of createInterface({ input: createReadStream(path, 'utf8') })) {
      const pass = replay.read(line);
      if (pass === undefined || flags.printState === true) continue;
      for (const { host, from, to: next, reason } of pass.decision.hostMoves) {
        const why = reason === '' || next === 'ok' ? '' : ` (${reason})`;
        to.out(`${time(pass.now)} ${host}: ${from ?? 'unknown'} -> ${next ?? 'unknown'}${why}\n`);
      }
    }
    replay.end();
  } catch (error) {
    throw new NetstewardError('usage', `--replay-log: ${path} cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  }
  if (replay.settings === undefined) {
    throw new NetstewardError('usage', `--replay-log: ${path} is no state log`, {
      remedy: 'Name a file that [nbrpc.state_log] has written.',
    });
  }
  const [first] = replay.unreadable;
  if (first !== undefined) {
    to.error(
      `nbrpc: warning: ${path}:${first}: ${replay.unreadable.length} line(s) could not be read and were left out\n`,
    );
  }
  if (flags.printState === true) to.out(printState(replay.state, { time, width: widthOf(to) }));
  return exitCodes.ok;
}

/** What a flag names comes from the flag, the rest from the log. */
function withFlags(logged: DecideSettings, flags: NbrpcFlags, settings: NbrpcSettings): DecideSettings {
  const given = givenNames(flags);
  const { timers, limits } = settings;
  const pick = <Value>(name: string, flag: Value, log: Value): Value => (given.has(name) ? flag : log);
  return {
    timers: {
      hostAddrs: pick('host_addrs', timers.hostAddrs, logged.timers.hostAddrs),
      addrState: pick('addr_state', timers.addrState, logged.timers.addrState),
      hostOkState: pick('host_ok_state', timers.hostOkState, logged.timers.hostOkState),
      hostNaState: pick('host_na_state', timers.hostNaState, logged.timers.hostNaState),
      hostAddrTimeout: pick('host_addr', timers.hostAddrTimeout, logged.timers.hostAddrTimeout),
    },
    limits: { ...logged.limits, addrsPerHost: pick('addrs_per_host', limits.addrsPerHost, logged.limits.addrsPerHost) },
    defaultPolicy: flags.checkListDefaultPolicy === undefined ? logged.defaultPolicy : settings.defaultPolicy,
  };
}
