/** One run of `netsteward dyndns serve`, until a signal or idleness ends it. */
import { isIP } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { systemClock, type Timer } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { drained } from '../dyndns/drain.ts';
import { openPolicy } from '../dyndns/policy.ts';
import { DyndnsServer, type ServerSettings } from '../dyndns/server.ts';
import type { UdpBinding, UdpSocket } from '../system/dyndns-ports.ts';
import {
  addressOfHost,
  composeDyndns,
  composeNotifier,
  composeUdp,
  passedSockets,
  realPath,
} from './compose-dyndns.ts';
import { recordKinds } from './dyndns-check-run.ts';
import type { DyndnsServeFlags } from './dyndns-serve.ts';
import { giveUpRoot } from './dyndns-serve-user.ts';
import { openLog } from './log-output.ts';

const defaultPort = 5533;
/** Packets that come before the zones are read. */
const mostEarly = 256;
/** Milliseconds; tinydns-data needs 2 s for a million lines. */
const commandTimeout = 120_000;

/** Rejects with `usage`, and with what the start rejects with. */
export async function runDyndnsServe(
  zone: string | undefined,
  command: readonly string[],
  flags: DyndnsServeFlags,
): Promise<ExitCode> {
  if (flags.genkey === true) return (await import('./dyndns-keygen.ts')).generateKey({});
  if (zone === undefined) throw usage('name a zone file');
  const files = [zone, ...flags.zone].map((file) => resolve(file));
  const settings = settingsOf(files, command, flags);
  const binding = await bindingOf(flags);
  const output = openLog(process.env);
  output.configure({ level: flags.debug === true ? 'debug' : 'info', format: 'auto' });
  const log = output.logger;

  let end: (code: ExitCode) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const ended = new Promise<ExitCode>((done, failed) => {
    end = done;
    fail = failed;
  });
  // It may fail before anybody waits for it.
  ended.catch(() => {});
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(exitCodes.ok));
  let server: DyndnsServer | undefined;
  let socket: UdpSocket | undefined;
  const early: [Uint8Array, string][] = [];
  const listen = async (): Promise<UdpSocket> => {
    const sockets = await composeUdp();
    return sockets.open(binding, {
      datagram(bytes, source) {
        if (server !== undefined) server.datagram(bytes, source);
        else if (early.length < mostEarly) early.push([bytes, source]);
      },
      failed: (error) => fail(error),
    });
  };
  let idle: Timer | undefined;
  try {
    // A passed socket keeps its packets for the next start if this one fails; one of our own may need root.
    if (!('fd' in binding)) socket = await listen();
    if (flags.uid !== undefined) giveUpRoot(flags.uid);
    server = await DyndnsServer.open(await composeDyndns(log), settings).catch((error: unknown) => {
      throw asUser(error, flags.uid);
    });
    socket ??= await listen();
    for (const [bytes, source] of early.splice(0)) server.datagram(bytes, source);
    const notifier = composeNotifier();
    log.info('listening', {
      at: socket.local,
      zones: files,
      keys: keyCount(server),
      receiveBuffer: socket.receiveBuffer,
    });
    notifier.notify({ READY: '1', STATUS: `listening on ${socket.local}, ${keyCount(server)} key(s)` });
    const watched = server;
    const watchIdle = (limit: number): void => {
      const left = limit - watched.idleFor;
      if (left <= 0) end(exitCodes.ok);
      else idle = systemClock.after(Math.max(100, left), () => watchIdle(limit));
    };
    if (flags.idleExit !== undefined) watchIdle(flags.idleExit * 1000);
    const code = await ended;
    notifier.notify({ STOPPING: '1' });
    return code;
  } finally {
    idle?.cancel();
    await close(socket, server);
  }
}

/** Who lacks a right must not be guessed: after `-u` it is another one than who typed the command. */
function asUser(error: unknown, uid: string | undefined): unknown {
  if (uid === undefined || !(error instanceof NetstewardError)) return error;
  const { code, message, remedy } = error;
  return new NetstewardError(code, `as ${uid} (-u): ${message}`, {
    cause: error,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** First the socket: a packet that nobody has read waits in it for the next start under socket activation. */
async function close(socket: UdpSocket | undefined, server: DyndnsServer | undefined): Promise<void> {
  await socket?.close();
  if (socket !== undefined && server !== undefined) await drained(server, systemClock);
  await server?.stop();
}

function keyCount({ views }: DyndnsServer): number {
  return new Set(views.flatMap(({ zone }) => zone.blocks.flatMap(({ keys }) => keys.map(({ id }) => id)))).size;
}

function settingsOf(files: readonly string[], command: readonly string[], flags: DyndnsServeFlags): ServerSettings {
  const [first = ''] = files;
  const optional = recordKinds(flags.records);
  return {
    zones: [...new Set(files)].map((file) => ({ file, optional, updateCommand: command, commandTimeout })),
    stateFile: resolve(flags.state ?? defaultState(first)),
    clockWindow: flags.clockWindow,
    updateTimestamps: flags.updateTimestamps === true,
    verify: flags.verify === undefined ? undefined : authority(flags.verify),
    policyOf: () => openPolicy,
  };
}

/** $STATE_DIRECTORY of a unit (systemd.exec(5)); else beside the zone, whose folder this user has to write to anyway. */
function defaultState(zone: string): string {
  const [folder] = (process.env.STATE_DIRECTORY ?? '').split(':');
  if (folder) return join(folder, 'dyndns.sqlite');
  const real = realPath(zone);
  return join(dirname(real), `.${basename(real)}.netsteward-state`);
}

/** `ADDRESS` or `ADDRESS:PORT`, an IPv6 address with a port in brackets. */
function authority(text: string): { readonly server: string; readonly port: number } {
  if (isIP(text) !== 0) return { server: text, port: 53 };
  const { host, port } = hostAndPort(text, '--verify');
  if (isIP(host) === 0) throw usage(`--verify ${text}: must be a numeric address`);
  return { server: host, port };
}

async function bindingOf({ bind, ipAf, systemd }: DyndnsServeFlags): Promise<UdpBinding> {
  if (systemd === true) {
    const [passed, ...more] = passedSockets();
    if (more.length > 0)
      throw usage('systemd passed more than one socket: one ListenDatagram= on [::] takes both families');
    if (passed !== undefined) return { fd: passed.fd };
  }
  const family = ipAf === undefined ? 0 : ipAf === '4' ? 4 : 6;
  const { host, port } = bind === undefined ? { host: '', port: defaultPort } : hostAndPort(bind, '--bind');
  if (host === '') return { address: family === 4 ? '0.0.0.0' : '::', port };
  const found = isIP(host);
  if (found !== 0 && family !== 0 && found !== family) throw usage(`--bind ${bind}: is not an IPv${family} address`);
  return { address: found === 0 ? await addressOfHost(host, family) : host, port };
}

/** `PORT`, `HOST:PORT` or `[V6]:PORT`. */
function hostAndPort(text: string, flag: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw usage(`${flag} ${text}: must be PORT, HOST:PORT or [IPv6]:PORT`);
  return { host: match[1] ?? match[2] ?? '', port };
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message, { remedy: 'See netsteward dyndns serve --help.' });
}
