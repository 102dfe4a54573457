/** What a running nbrpc answers from outside: to `explain HOST` and `settings` as JSON, to `check HOST` in words. */
import type { Clock } from '../core/clock.ts';
import { NetstewardError } from '../core/errors.ts';
import type { Files } from '../system/ports.ts';
import type { NbrpcConfig } from './config.ts';
import { countedStart } from './counted-time.ts';
import { explainHost } from './explain.ts';
import { explainingOf, listedHost, type RoutingConfig, type RunningKnowledge } from './explaining.ts';
import { listPlaces } from './list-places.ts';
import { needsProbe } from './no-probe.ts';
import type { OwnResolvers } from './own-resolvers.ts';
import type { Passes } from './passes.ts';
import type { ExitHealth } from './prompt/exit-watch.ts';
import type { PromptPasses } from './prompt/passes.ts';
import type { State } from './state.ts';

/** What a running nbrpc has beside its host. */
interface Known {
  readonly config: NbrpcConfig;
  readonly state: State;
  readonly passes: Passes | PromptPasses;
  readonly resolvers: Pick<OwnResolvers, 'of'>;
  readonly telling: { whyUnchecked(host: string, address: string): string | undefined };
}

/** Nothing is changed, but that `check` asks. Rejects with NetstewardError `host-unknown`, or `command-unknown` where there is no such question. */
export async function answerTo(
  name: string,
  argument: string,
  { clock, files }: { readonly clock: Clock; readonly files: Files },
  { config, state, passes, resolvers, telling }: Known,
): Promise<string> {
  if (name === 'settings') return settings(config, 'turns' in passes ? passes.exits : []);
  if (name === 'check') return checkNow(listedHost(argument, state), state, passes);
  if (name !== 'explain') throw new NetstewardError('command-unknown', `nbrpc has no command "${name}"`);
  const prompt = 'turns' in passes ? passes : undefined;
  const host = listedHost(argument, state);
  const places = await listPlaces(files, state, host);
  const running: RunningKnowledge = {
    monotonic: clock.monotonic() / 1000,
    // Of the last run that counted.
    counted: countedStart(state),
    exits: prompt?.exits ?? [],
    resolvers: resolvers.of(config),
    prompt: (each, record) => prompt?.turns.look(each, record).known,
    plan: (each, address) => {
      const record = state.host(each)?.addresses.get(address);
      return record === undefined ? undefined : prompt?.turns.look(each, record).next;
    },
    whyUnchecked: (each, address) => telling.whyUnchecked(each, address),
  };
  const told = explainHost(host, explainingOf(host, config, state, clock.now(), places, running));
  // It may have left the lists meanwhile.
  return JSON.stringify(told ?? listedHost(argument, state));
}

/** Asks the host's addresses on the direct route. Throws NetstewardError `check-not-possible`. */
function checkNow(host: string, state: State, passes: Passes | PromptPasses): string {
  const refused = (why: string, remedy: string): NetstewardError =>
    new NetstewardError('check-not-possible', `${host} cannot be checked now: ${why}`, { remedy });
  const entry = state.host(host);
  if (entry !== undefined && !needsProbe(entry.record.check)) {
    throw refused('the list says what is true of it', 'Give it an https or http check in its list.');
  }
  const asking = 'turns' in passes ? passes.turns : passes;
  if ('open' in asking && !asking.open) {
    throw refused('this machine looks at its own side first', 'See the warnings of netsteward status; try again then.');
  }
  const [asked, of] = asking.askNow(host);
  if (of === 0) {
    throw refused('no address of it can be asked', 'Its name is resolved again by itself: see netsteward status.');
  }
  const addresses = of === 1 ? 'its address' : asked === of ? `its ${of} addresses` : `${asked} of its ${of} addresses`;
  return asked === 0
    ? `${host} was checked just now, or is being checked.`
    : `${host} is being checked: ${addresses} on the direct route.`;
}

/** What routes are made of, the state file, and the exits that are down: for a plan of other settings. */
function settings(config: NbrpcConfig, exits: readonly ExitHealth[]): string {
  const { schedule, default_policy, exit, service, when_no_exit, resolver, table, sets, state } = config;
  const routing: RoutingConfig = { schedule, default_policy, exit, service, when_no_exit, resolver, table, sets };
  const dead = exits.filter(({ works }) => !works).map((each) => each.name);
  return JSON.stringify({ config: routing, state, dead });
}
