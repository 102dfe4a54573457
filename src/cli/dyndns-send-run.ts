/** One run of `netsteward dyndns send`: a round, or rounds until a signal ends it. */
import { readFileSync } from 'node:fs';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { readDelays, waitsFor } from '../dyndns/client-delays.ts';
import { type FamilyChoice, planTargets, readBinds, readDestinations } from '../dyndns/client-endpoints.ts';
import { hidesCommandLines, keyWord, readKeyFile, repeatedKey } from '../dyndns/client-keys.ts';
import { type RoundPlan, sendRound } from '../dyndns/client-round.ts';
import { ClientWatch } from '../dyndns/client-watch.ts';
import { type Read, readSeed, type SigningKey } from '../dyndns/keys.ts';
import { composeDyndnsClient, type DyndnsClientPorts } from './compose-dyndns-send.ts';
import { type KeyFile, readKeyFileText, readKeyInput } from './dyndns-key-files.ts';
import { generateKey } from './dyndns-keygen.ts';
import type { DyndnsSendFlags } from './dyndns-send.ts';
import { openLog } from './log-output.ts';
import { printError } from './output.ts';

/** Milliseconds between rounds with --watch, for a router in between whose address changes unseen. */
const watchInterval = 900_000;

/** Rejects with NetstewardError `usage` and `key-file-unusable`. */
export async function runDyndnsSend(
  destination: string | undefined,
  words: readonly string[],
  flags: DyndnsSendFlags,
): Promise<ExitCode> {
  if (flags.genkey === true) return generateKey({});
  if (destination === undefined || words.length === 0) throw usage('name a destination and at least one key');
  if (flags.interval === 0 && flags.watch !== true) throw usage('--interval 0s is for --watch: nothing would be sent');
  const plan = sendPlan(destination, readKeys(words), flags);
  const goesOn = flags.watch === true || flags.interval !== undefined;
  const log = openLog(process.env);
  log.configure({ level: flags.debug === true ? 'debug' : goesOn ? 'info' : 'warn', format: 'auto' });
  const ports = await composeDyndnsClient(log.logger);
  return goesOn ? goOn(plan, ports, flags) : sendOnce(plan, ports);
}

/** Throws NetstewardError `usage`. */
export function sendPlan(destination: string, keys: readonly SigningKey[], flags: DyndnsSendFlags): RoundPlan {
  const destinations = good(readDestinations(destination));
  const binds = flags.bind === undefined ? [] : good(readBinds(flags.bind));
  return {
    targets: good(planTargets(destinations, binds, familyChoice(flags.ipAf))),
    keys,
    waits: good(waitsFor(flags.packets, good(readDelays(flags.sendDelay)))),
    anyAddress: flags.randomAddr === true,
  };
}

function familyChoice(text: string | undefined): FamilyChoice {
  if (text === '4' || text === '6') return text === '4' ? 4 : 6;
  return text === 'both' ? 'both' : 'first';
}

/** Warns of keys that others may have read. */
function readKeys(words: readonly string[]): readonly SigningKey[] {
  let shown = false;
  const keys = words.flatMap((text, index) => {
    const word = keyWord(text);
    if (word.kind !== 'key') {
      const name = word.kind === 'file' ? word.path : 'standard input';
      return keysOf(name, word.kind === 'file' ? readKeyFileText(word.path) : readKeyInput());
    }
    shown = true;
    const key = readSeed(word.text);
    if (key.problem !== undefined) throw usage(`key ${index + 1} of the command line: ${key.problem}`);
    return [key.value];
  });
  const twice = repeatedKey(keys);
  if (twice !== undefined) throw usage(`the key with the id ${twice} is there twice`);
  if (shown) warnOfCommandLine();
  return keys;
}

function keysOf(name: string, { text, exposure }: KeyFile): readonly SigningKey[] {
  const keys = readKeyFile(text);
  if (keys.problem !== undefined) throw new NetstewardError('key-file-unusable', `${name}: ${keys.problem}`);
  if (exposure !== undefined) {
    printError(`netsteward: warning: ${name} holds secret keys, and ${exposure}: chmod 0600 ${name}\n`);
  }
  return keys.value;
}

/** A command line is for all users of a machine to read (proc(5), /proc/PID/cmdline), and stays in the shell's history. */
function warnOfCommandLine(): void {
  // libuv writes it over the words of the command line; what was read until now was read.
  process.title = 'netsteward dyndns send';
  const hidden = hidesCommandLines(mountsText());
  const who = hidden ? '' : 'all users of this machine can see it there, and ';
  printError(
    `netsteward: warning: a secret key is on the command line: ${who}the shell keeps it; put it into a file with mode 0600 and name the file\n`,
  );
}

function mountsText(): string {
  try {
    return readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return '';
  }
}

async function sendOnce(plan: RoundPlan, ports: DyndnsClientPorts): Promise<ExitCode> {
  const { failures } = await sendRound(plan, ports, new AbortController().signal);
  for (const { target, reason } of failures) printError(`netsteward: nothing was sent to ${target}: ${reason}\n`);
  return failures.length === 0 ? exitCodes.ok : exitCodes.failure;
}

async function goOn(plan: RoundPlan, ports: DyndnsClientPorts, flags: DyndnsSendFlags): Promise<ExitCode> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const watched = flags.watch === true;
  const interval = flags.interval ?? watchInterval;
  const watch = new ClientWatch({
    clock: ports.clock,
    log: ports.log,
    interval: interval === 0 ? undefined : interval,
    events: watched ? ports.addresses : undefined,
    round: (signal) => sendRound(plan, ports, signal),
  });
  process.on('SIGHUP', () => watch.sendNow());
  await watch.run(stop.signal);
  return exitCodes.ok;
}

function good<T>(read: Read<T>): T {
  if (read.problem !== undefined) throw usage(read.problem);
  return read.value;
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message, { remedy: 'See netsteward dyndns send --help.' });
}
