/** What a running nbrpc answers to questions from outside: `explain HOST` and `settings`, each as JSON. */
import type { Clock } from '../core/clock.ts';
import type { Files } from '../system/ports.ts';
import type { NbrpcConfig } from './config.ts';
import { countedStart } from './counted-time.ts';
import { explainHost } from './explain.ts';
import { explainingOf, listedHost, type RoutingConfig, type RunningKnowledge } from './explaining.ts';
import { listPlaces } from './list-places.ts';
import type { AddressRecord } from './model.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import type { Live } from './prompt/live.ts';
import type { Plan } from './prompt/plan.ts';
import type { State } from './state.ts';

/** Of the prompt schedule. */
interface PromptLook {
  readonly exits: readonly ExitHealth[];
  look(host: string, record: AddressRecord): { readonly known: Live; readonly next: Plan | undefined };
}

/** Undefined: no such question. Nothing is changed. Rejects with NetstewardError `host-unknown`. */
export async function answerTo(
  name: string,
  argument: string,
  { clock, files }: { readonly clock: Clock; readonly files: Files },
  config: NbrpcConfig,
  state: State,
  passes: PromptLook | undefined,
  unchecked: { whyUnchecked(host: string, address: string): string | undefined },
): Promise<string | undefined> {
  if (name === 'settings') return settings(config, passes?.exits ?? []);
  if (name !== 'explain') return undefined;
  const host = listedHost(argument, state);
  const places = await listPlaces(files, state, host);
  const running: RunningKnowledge = {
    monotonic: clock.monotonic() / 1000,
    // Of the last run that counted.
    counted: countedStart(state),
    exits: passes?.exits ?? [],
    prompt: (each, record) => passes?.look(each, record).known,
    plan: (each, address) => {
      const record = state.host(each)?.addresses.get(address);
      return record === undefined ? undefined : passes?.look(each, record).next;
    },
    whyUnchecked: (each, address) => unchecked.whyUnchecked(each, address),
  };
  const told = explainHost(host, explainingOf(host, config, state, clock.now(), places, running));
  // It may have left the lists meanwhile.
  return JSON.stringify(told ?? listedHost(argument, state));
}

/** What routes are made of, the state file, and the exits that are down: for a plan of other settings. */
function settings(config: NbrpcConfig, exits: readonly ExitHealth[]): string {
  const { schedule, default_policy, exit, service, when_no_exit, resolver, table, sets, state } = config;
  const routing: RoutingConfig = { schedule, default_policy, exit, service, when_no_exit, resolver, table, sets };
  const dead = exits.filter(({ works }) => !works).map((each) => each.name);
  return JSON.stringify({ config: routing, state, dead });
}
