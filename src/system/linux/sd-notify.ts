/** Notifier by datagrams to $NOTIFY_SOCKET, sent through libc (Node has no unix datagram sockets). */
import { createRequire } from 'node:module';
import type { Notifier } from '../../system/ports.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** sockaddr_un.sun_path, unix(7). */
const pathBytes = 108;
// socket(2), linux/socket.h
const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;
const msgNosignal = 0x4000;

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    fd: number,
    data: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): bigint | number;
  close(fd: number): number;
}

/** A notifier that tells nobody. */
export const silentNotifier: Notifier = { notify: () => undefined };

/** Speaks to the service manager where there is one; silent where there is none, or where libc cannot be reached. */
export function sdNotifier(env: Environment): Notifier {
  const address = socketAddress(env.NOTIFY_SOCKET ?? '');
  const libc = address === undefined ? undefined : loadLibc();
  if (address === undefined || libc === undefined) return silentNotifier;
  return {
    notify(state) {
      const message = Buffer.from(notifyMessage(state, process.hrtime.bigint() / 1000n));
      const fd = libc.socket(afUnix, sockDgram | sockCloexec, 0);
      if (fd < 0) return;
      // A manager that is gone, or whose queue is full, must not stop the work: the next message comes soon.
      libc.sendto(fd, message, message.length, msgNosignal, address, address.length);
      libc.close(fd);
    },
  };
}

/**
 * The text of sd_notify(3): one KEY=VALUE a line. A line feed in a value would begin another assignment, so control
 * characters become spaces. RELOADING=1 is joined by MONOTONIC_USEC, as Type=notify-reload asks for.
 */
export function notifyMessage(state: Readonly<Record<string, string>>, monotonicUsec: bigint): string {
  const lines = Object.entries(state).map(([key, value]) => `${key}=${value.replace(/\p{Cc}/gu, ' ')}`);
  if (state.RELOADING === '1') lines.push(`MONOTONIC_USEC=${monotonicUsec}`);
  return lines.join('\n');
}

/** Milliseconds between WATCHDOG=1 messages: half of what the manager waits (sd_watchdog_enabled(3)); undefined: none asked for. */
export function watchdogInterval(env: Environment, pid: number): number | undefined {
  const usec = Number(env.WATCHDOG_USEC ?? '');
  if (!Number.isFinite(usec) || usec <= 0) return undefined;
  if (env.WATCHDOG_PID !== undefined && Number(env.WATCHDOG_PID) !== pid) return undefined;
  return usec / 2000;
}

/** struct sockaddr_un; an abstract address has a NUL where the name has `@` (unix(7)). */
function socketAddress(name: string): Buffer | undefined {
  if (!/^[@/]./.test(name)) return undefined;
  const path = Buffer.from(name);
  if (path.length >= pathBytes) return undefined;
  if (path[0] === 0x40) path[0] = 0;
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = afUnix;
  return Buffer.concat(path[0] === 0 ? [family, path] : [family, path, Buffer.alloc(1)]);
}

function loadLibc(): Libc | undefined {
  try {
    // Only a service under systemd pays for loading koffi. `null`: the process itself, which has libc, whichever it is.
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    return {
      socket: libc.func('int socket(int, int, int)'),
      sendto: libc.func('long sendto(int, const void *, size_t, int, const void *, unsigned int)'),
      close: libc.func('int close(int)'),
    };
  } catch {
    return undefined;
  }
}
