/** One run of `netsteward nbrpc explain`: of the running daemon, else of the state file. */
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { explainHost, type HostExplanation } from '../nbrpc/explain.ts';
import { explainingOf, listedHost } from '../nbrpc/explaining.ts';
import { listPlaces } from '../nbrpc/list-places.ts';
import { clock, configured, kernelSets, openFiles, stateIn } from './compose-nbrpc-look.ts';
import { configSource } from './config-options.ts';
import { badAnswer } from './control-client.ts';
import { controlCommand } from './control-command.ts';
import type { ExplainFlags } from './nbrpc-asking.ts';
import { explainText } from './nbrpc-explain-view.ts';
import { print, printJson } from './output.ts';

/** Rejects with what asking, the configuration or the state file reject with, and `host-unknown`. */
export async function explainService(name: string, flags: ExplainFlags): Promise<ExitCode> {
  const { told, source } = await explanation(name, flags);
  const { family, table, names } = told.sets;
  const kernel = await kernelSets({ family, name: table }, names);
  if (flags.json === true) {
    const held = 'trouble' in kernel ? kernel : heldOf(told, kernel);
    printJson({ ...told, kernel: held });
  } else print(explainText(told, kernel, source));
  return exitCodes.ok;
}

interface Told {
  readonly told: HostExplanation;
  /** Absent: the running daemon. */
  readonly source?: string;
}

async function explanation(name: string, flags: ExplainFlags): Promise<Told> {
  try {
    return { told: explanationOf(flags.socket, await controlCommand(flags.socket, 'nbrpc', 'explain', name)) };
  } catch (error) {
    if (!(error instanceof NetstewardError) || error.code !== 'not-running') throw error;
  }
  const { nbrpc } = await configured(configSource(flags));
  const state = await stateIn(nbrpc.state);
  const host = listedHost(name, state);
  const lists = await listPlaces(await openFiles(), state, host);
  const told = explainHost(host, explainingOf(host, nbrpc, state, clock.now(), lists));
  if (told === undefined) throw new Error(`${host} has vanished`);
  return { told, source: nbrpc.state };
}

/** Both ends are of one version, but whoever listens there is not trusted to be one. */
function explanationOf(socket: string, text: string): HostExplanation {
  let found: Partial<HostExplanation> | null = null;
  try {
    found = JSON.parse(text) as Partial<HostExplanation> | null;
  } catch {
    // Told below.
  }
  const whole =
    typeof found?.host === 'string' &&
    Array.isArray(found.addresses) &&
    Array.isArray(found.lists) &&
    Array.isArray(found.sets?.names);
  if (!whole) throw badAnswer(socket, 'its answer is no explanation');
  return found as HostExplanation;
}

/** By set, the host's addresses that the kernel has in it; null for a set that it has not. */
function heldOf(
  { addresses, sets }: HostExplanation,
  kernel: ReadonlyMap<string, ReadonlySet<string> | 'uncountable'>,
): Readonly<Record<string, readonly string[] | 'uncountable' | null>> {
  const own = addresses.map(({ address }) => address);
  return Object.fromEntries(
    sets.names.map((name) => {
      const contents = kernel.get(name);
      if (contents === undefined) return [name, null];
      return [name, contents === 'uncountable' ? contents : own.filter((address) => contents.has(address))];
    }),
  );
}
