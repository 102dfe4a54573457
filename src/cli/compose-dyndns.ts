/** Real adapters for the dyndns server. */

import { lookup } from 'node:dns/promises';
import { realpathSync } from 'node:fs';
import { systemClock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { DyndnsPorts } from '../dyndns/ports.ts';
import { type BoundModule, bindModule } from '../supervisor/bound-module.ts';
import type { UdpSockets, ZoneFiles } from '../system/dyndns-ports.ts';
import { type ListenFd, listenFds } from '../system/linux/listen-fds.ts';
import { sdNotifier } from '../system/linux/sd-notify.ts';
import type { Notifier } from '../system/ports.ts';
import { countingOnFolders, makingFolders } from './state-folder.ts';

export async function bindDyndns(log: Logger): Promise<BoundModule> {
  const { dyndnsModule, dyndnsPaths } = await import('../dyndns/index.ts');
  return bindModule({
    definition: dyndnsModule,
    paths: dyndnsPaths,
    host: async () => ({ ...(await composeDyndns(log.child({ module: 'dyndns' }))), sockets: await composeUdp() }),
    preflightHost: async () => ({
      zones: await composeZoneFiles(),
      files: countingOnFolders(new (await import('../system/linux/files.ts')).LinuxFiles()),
    }),
  });
}

export async function composeDyndns(log: Logger): Promise<DyndnsPorts> {
  const [{ LinuxZoneFiles }, { SqliteStore }, { commitSync }, { LinuxCommands }] = await Promise.all([
    import('../system/linux/zone-file-io.ts'),
    import('../system/linux/sqlite.ts'),
    import('../system/linux/commit-sync.ts'),
    import('../system/linux/commands.ts'),
  ]);
  const clock = systemClock;
  return {
    clock,
    log,
    zones: new LinuxZoneFiles(clock),
    store: makingFolders(new SqliteStore()),
    commitSync,
    commands: new LinuxCommands(clock),
    nameServer: {
      // Loaded with the first question: most ask none (dyndns.verify).
      ask: async (question) => new (await import('../system/linux/name-server.ts')).UdpNameServer(clock).ask(question),
    },
  };
}

export async function composeUdp(): Promise<UdpSockets> {
  return new (await import('../system/linux/udp.ts')).LinuxUdpSockets();
}

export async function composeZoneFiles(): Promise<ZoneFiles> {
  return new (await import('../system/linux/zone-file-io.ts')).LinuxZoneFiles(systemClock);
}

export function composeNotifier(): Notifier {
  return sdNotifier(process.env);
}

/** Sockets that systemd opened for this process. */
export function passedSockets(): readonly ListenFd[] {
  return listenFds(process.env, process.pid);
}

/** What symbolic links lead to; the path itself where there is nothing. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** A numeric address of this host name. Rejects with NetstewardError `host-unknown`. */
export async function addressOfHost(host: string, family: 0 | 4 | 6): Promise<string> {
  try {
    return (await lookup(host, { family })).address;
  } catch (error) {
    const what = family === 0 ? 'address' : `IPv${family} address`;
    throw new NetstewardError('host-unknown', `${host} has no ${what}`, {
      remedy: 'Name a numeric address of this machine with --bind.',
      cause: error,
    });
  }
}
