/** Where `netsteward nbrpc` gets answers and results from: the network, or a rehearsal's file. */
import { readFile } from 'node:fs/promises';
import { NetstewardError } from '../core/errors.ts';
import { type CheckSource, ProbeSource } from '../nbrpc/checker.ts';
import { Replay } from '../nbrpc/replay.ts';
import type { Resolver } from '../system/ports.ts';
import type { NbrpcFlags } from './nbrpc.ts';
import type { NbrpcSettings } from './nbrpc-settings.ts';

export interface Sources {
  readonly resolver: Resolver;
  readonly checks: CheckSource;
  /** A rehearsal: its addresses are not filtered. */
  readonly rehearsal: boolean;
}

/** Bytes of a body that are read before an answer counts, as in the configuration's default. */
const bodyLimit = 65_536;

export async function openSources(flags: NbrpcFlags, settings: NbrpcSettings): Promise<Sources> {
  if (flags.replay !== undefined) {
    const replay = Replay.parse(await readReplay(flags.replay), flags.replay);
    return { resolver: replay, checks: replay, rehearsal: true };
  }
  const { composeNbrpcNetwork } = await import('./compose.ts');
  const { resolver, probe } = await composeNbrpcNetwork();
  const checks = new ProbeSource(probe, { timeout: settings.timeouts.addr_check * 1000, bodyLimit });
  return { resolver, checks, rehearsal: false };
}

async function readReplay(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetstewardError('usage', `--replay: ${path} cannot be read: ${reason}`, { cause: error });
  }
}
