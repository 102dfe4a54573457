/** Where `netsteward nbrpc` gets answers and results from: the network, or a rehearsal's file. */
import { readFile } from 'node:fs/promises';
import { NetstewardError } from '../core/errors.ts';
import { type CheckSource, ProbeSource } from '../nbrpc/checker.ts';
import { type OwnSide, OwnSideGates } from '../nbrpc/own-side.ts';
import { Replay } from '../nbrpc/replay.ts';
import type { Resolver } from '../system/ports.ts';
import type { NbrpcFlags } from './nbrpc.ts';
import { type NbrpcSettings, parseControl } from './nbrpc-settings.ts';

export interface Sources {
  /** Before each pass. Rejects with NetstewardError `usage`; the answers of before stay then. */
  renew?(): Promise<void>;
  readonly resolver: Resolver;
  readonly checks: CheckSource;
  /** A rehearsal: its addresses are not filtered. */
  readonly rehearsal: boolean;
  /** Whether this machine's own side works; `names`: some that the resolver may be asked for. Absent where it does not matter. */
  readonly ownSide?: (signal: AbortSignal, names: () => readonly string[]) => Promise<OwnSide>;
}

/** Bytes of a body that are read before an answer counts, as in the configuration's default. */
const bodyLimit = 65_536;

export async function openSources(flags: NbrpcFlags, settings: NbrpcSettings): Promise<Sources> {
  if (flags.replay !== undefined) {
    return rehearsal(flags.replay);
  }
  const [{ composeNbrpcNetwork }, { controlServices }] = await Promise.all([
    import('./compose.ts'),
    import('../nbrpc/config.ts'),
  ]);
  const { resolver, probe, uplink } = await composeNbrpcNetwork();
  const timeout = settings.timeouts.addr_check * 1000;
  const checks = new ProbeSource(probe, { timeout, bodyLimit });
  if (!flags.gates) return { resolver, checks, rehearsal: false };
  const services = settings.control ?? parseControl(controlServices);
  const gates = new OwnSideGates({ uplink, resolver, checks }, { services, resolveTimeout: timeout });
  return { resolver, checks, rehearsal: false, ownSide: (signal, names) => gates.look(signal, names) };
}

/** The file may be edited while a daemon rehearses, as a service may change while it runs. */
async function rehearsal(path: string): Promise<Sources> {
  let replay = await readReplay(path);
  return {
    renew: async () => {
      replay = await readReplay(path);
    },
    resolver: { resolve: (request) => replay.resolve(request) },
    checks: { check: (target, codes) => replay.check(target, codes) },
    rehearsal: true,
  };
}

async function readReplay(path: string): Promise<Replay> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetstewardError('usage', `--replay: ${path} cannot be read: ${reason}`, { cause: error });
  }
  return Replay.parse(text, path);
}
