/** One run of `netsteward nbrpc plan`: what this configuration, with its lists as they are now, would flip. */
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { RoutingConfig } from '../nbrpc/explaining.ts';
import { describeRejection, readLists } from '../nbrpc/lists.ts';
import { whatIf } from '../nbrpc/what-if.ts';
import { clock, configured, openFiles, stateIn } from './compose-nbrpc-look.ts';
import { configSource } from './config-options.ts';
import { badAnswer } from './control-client.ts';
import { controlCommand } from './control-command.ts';
import type { PlanFlags } from './nbrpc-asking.ts';
import { planText } from './nbrpc-plan-view.ts';
import { print, printError, printJson } from './output.ts';

/** Rejects with what the configuration or the state file reject with. Exit code 1 where a list would be refused. */
export async function showPlan(flags: PlanFlags): Promise<ExitCode> {
  const { nbrpc: after } = await configured(configSource(flags));
  const otherwise: InForce = { config: after, state: after.state, dead: [] };
  const { config: before, state: path, dead: down, remark } = await inForce(flags.socket, otherwise);
  const state = await stateIn(path);
  const lists = await readLists(await openFiles(), after.check_lists, new Map());
  const dead = new Set(down);
  const found = whatIf(state, { before, after, lists, now: Math.round(clock.now()) / 1000, dead });
  const remarks = [
    remark,
    ...(path === after.state ? [] : [`${flags.config} names another state file, ${after.state}`]),
  ];
  const refused = lists.flatMap((list) => {
    if (list.kind === 'missing') return [`${list.path} is missing, and has no services`];
    if (list.kind !== 'rejected') return [];
    // What is in force is known to the state, not to who has read the list just now.
    const kept = (state.lists().get(list.path)?.mtime ?? null) !== null;
    const { problems, inForce: left } = describeRejection({ ...list, kept });
    return [`${list.path} would be refused: ${problems}; ${left}`];
  });
  if (flags.json === true) printJson({ ...found, remarks: remarks.filter((text) => text !== ''), lists: refused });
  else {
    print(
      planText(
        found,
        remarks.filter((text) => text !== ''),
      ),
    );
    for (const text of refused) printError(`${text}\n`);
  }
  return lists.some(({ kind }) => kind === 'rejected') ? exitCodes.failure : exitCodes.ok;
}

interface InForce {
  readonly config: RoutingConfig;
  readonly state: string;
  readonly dead: readonly string[];
}

/** Of the running netsteward; where none can be asked, the lists alone can differ. */
async function inForce(socket: string, otherwise: InForce): Promise<InForce & { readonly remark: string }> {
  try {
    const text = await controlCommand(socket, 'nbrpc', 'settings', '');
    const found = JSON.parse(text) as Partial<InForce> | null;
    if (typeof found?.state !== 'string' || typeof found.config?.default_policy?.route !== 'string') {
      throw badAnswer(socket, 'its answer has no settings');
    }
    return { config: found.config, state: found.state, dead: found.dead ?? [], remark: '' };
  } catch (error) {
    if (!(error instanceof NetstewardError) || error.code !== 'not-running') throw error;
    const remark =
      'no netsteward runs: what is in force is taken to be this configuration, with the lists that the state file has';
    return { ...otherwise, remark: `${remark} (${describeError(error)})` };
  }
}
