/** Whether the network is up: asked after a failed check, so that no resolver is blamed for a dead line. */
import type { TcpReach } from '../system/dns-watch-ports.ts';
import type { Commands, Uplink } from '../system/ports.ts';
import { pinged } from './fping.ts';

export interface GuardSettings {
  /** Whether the default route and its link are looked at. */
  readonly uplink: boolean;
  /** Addresses or names for fping. */
  readonly ping: readonly string[];
  readonly tcp: readonly { readonly address: string; readonly port: number }[];
  /** Milliseconds for all of it. */
  readonly timeout: number;
}

export interface GuardPorts {
  readonly uplink: Uplink;
  readonly commands: Commands;
  readonly tcp: TcpReach;
}

export type NetworkState = { readonly up: true } | { readonly up: false; readonly reason: string };

/** Milliseconds of a check's share that are kept for the guard: none where it asks no hosts. */
export function guardTime({ ping, tcp, timeout }: GuardSettings, share: number): number {
  return ping.length + tcp.length === 0 ? 0 : Math.min(timeout, share / 3);
}

/**
 * The link must be up, and one of all hosts must answer, by ping or TCP. `within`: milliseconds that it has, where that is less
 * than its own time-out. Rejects only with the signal's reason.
 */
export async function networkState(
  { uplink, ping, tcp, timeout: patience }: GuardSettings,
  ports: GuardPorts,
  signal: AbortSignal,
  within = Number.POSITIVE_INFINITY,
): Promise<NetworkState> {
  const timeout = Math.max(1, Math.min(patience, within));
  if (uplink) {
    const state = await ports.uplink.state();
    if (!state.up) return { up: false, reason: state.detail };
  }
  if (ping.length + tcp.length === 0) return { up: true };
  const enough = new AbortController();
  const both = AbortSignal.any([signal, enough.signal]);
  const answers = [
    ...ping.map((host) => pinged(host, timeout, ports.commands, both)),
    ...tcp.map(({ address, port }) => ports.tcp.reaches(address, port, timeout, both)),
  ];
  try {
    // One that answers is proof; the others need not be waited for.
    await Promise.any(
      answers.map(async (answer) => ((await answer) === true ? true : Promise.reject(new Error('none')))),
    );
    return { up: true };
  } catch {
    signal.throwIfAborted();
    // Who cannot ask knows nothing, and a guard that knows nothing must not keep the watchdog from acting for ever.
    if ((await Promise.all(answers)).every((answer) => answer === undefined)) return { up: true };
    const hosts = [...ping, ...tcp.map(({ address, port }) => `${address} port ${port}`)];
    return { up: false, reason: `${hosts.join(', ')} ${hosts.length === 1 ? 'does' : 'do'} not answer` };
  } finally {
    enough.abort();
  }
}
