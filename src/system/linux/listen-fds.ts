/** Sockets that systemd opened for this process (sd_listen_fds(3)). */

export interface ListenFd {
  readonly fd: number;
  /** FileDescriptorName= of the socket unit; `unknown` where the manager gave none. */
  readonly name: string;
}

/** The first one that is passed, by definition of the protocol. */
const firstFd = 3;
/** More are a broken environment, not a service. */
const most = 1024;

/** Empty where nothing was passed to this process; $LISTEN_PID tells whether the variables are meant for it or for a parent. */
export function listenFds(env: Readonly<Record<string, string | undefined>>, pid: number): readonly ListenFd[] {
  if (Number(env.LISTEN_PID ?? '') !== pid) return [];
  const count = Number(env.LISTEN_FDS ?? '');
  if (!Number.isInteger(count) || count <= 0 || count > most) return [];
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  return Array.from({ length: count }, (_, index) => ({ fd: firstFd + index, name: names[index] || 'unknown' }));
}
