/** From block to reroute and back, in virtual time: the prompt schedule next to the original's timers, over a month of stories. */

import { mostAddressesInUse } from '../src/nbrpc/in-use.ts';
import { parsePolicy } from '../src/nbrpc/policy-spec.ts';
import { type PromptSettings, promptDefaults, promptInUse } from '../src/nbrpc/prompt/settings.ts';
import { ms, printTable, quantile } from './_figures.ts';
import { runOriginal } from './_reaction-original.ts';
import { runPrompt } from './_reaction-prompt.ts';
import { type Figures, Record } from './_reaction-record.ts';
import { addressesOfHost, type Story, stories, World } from './_reaction-stories.ts';

const parsed = parsePolicy('af-all');
if (!parsed.ok) throw new Error(parsed.message);
const { policy } = parsed;

/** Another month, and other numbers of hosts: `NETSTEWARD_REACTION="SEED HOSTS…" npm run bench reaction`. */
const [seed = 1, ...sizes] = (process.env.NETSTEWARD_REACTION ?? '1 20 300 1000').split(' ').map(Number);
/** With every host in use there are five times as many checks. */
const mostInUse = 100;
/** Of a larger list so many are in use, as many as netsteward lets come first (src/nbrpc/in-use.ts). */
const someInUse = mostAddressesInUse / addressesOfHost;

const span = (seconds: number): string =>
  seconds >= 2 * 3600 ? `${ms(seconds / 3600)} h` : Number.isNaN(seconds) ? '-' : `${ms(seconds / 60)} min`;
const worst = (seconds: readonly number[]): string => span(quantile(seconds, 1));
const median = (seconds: readonly number[]): string => span(quantile(seconds, 0.5));

const reactions: string[][] = [];
const costs: string[][] = [];
function tell(hosts: number, way: string, figures: Figures, took: number): void {
  const { blocks, already, reroutes, ofAll, ofOne, releases } = figures;
  reactions.push([
    `${hosts}`,
    way,
    `${reroutes.length} of ${blocks}`,
    `${already}`,
    median(reroutes),
    span(quantile(reroutes, 0.95)),
    worst(reroutes),
    `${median(ofAll)}, ${median(ofOne)}`,
    `${releases.length}`,
    median(releases),
    worst(releases),
  ]);
  costs.push([
    `${hosts}`,
    way,
    `${figures.falsely}`,
    `${figures.early}`,
    figures.requests.toFixed(2),
    `${figures.busiest.toFixed(2)} ×`,
    `${figures.busiestRegular.toFixed(2)} ×`,
    `${took.toFixed(1)} s`,
  ]);
}

const treat = (settings: PromptSettings, record: Record) => (host: number) => ({ settings, record, as: host });
const worldOf = (told: readonly Story[], hosts: number): World => new World(told, seed * 7919 + hosts);

/** Some of the hosts are in use, and the figures are told apart. */
function runSome(hosts: number, told: readonly Story[]): void {
  const inUse = new Record(told.slice(0, someInUse));
  const others = new Record(told.slice(someInUse));
  const start = process.cpuUsage();
  runPrompt(hosts, worldOf(told, hosts), policy, (host) =>
    host < someInUse
      ? { settings: promptInUse, record: inUse, as: host }
      : { settings: promptDefaults, record: others, as: host - someInUse },
  );
  const { user, system } = process.cpuUsage(start);
  const took = (user + system) / 1e6;
  tell(hosts, `prompt, the ${someInUse} in use`, inUse.figures(), took);
  tell(hosts, `prompt, the ${hosts - someInUse} beside them`, others.figures(), took);
}

for (const hosts of sizes) {
  const told = stories(hosts, seed * 1_000_003 + hosts);
  const ways = {
    prompt: (world: World, record: Record) => runPrompt(hosts, world, policy, treat(promptDefaults, record)),
    'prompt, in use': (world: World, record: Record) => runPrompt(hosts, world, policy, treat(promptInUse, record)),
    original: (world: World, record: Record) => runOriginal(hosts, world, record, policy),
  };
  for (const [way, run] of Object.entries(ways)) {
    if (run === ways['prompt, in use'] && hosts > mostInUse) {
      runSome(hosts, told);
      continue;
    }
    const record = new Record(told);
    const start = process.cpuUsage();
    run(worldOf(told, hosts), record);
    const { user, system } = process.cpuUsage(start);
    tell(hosts, way, record.figures(), (user + system) / 1e6);
  }
}
printTable(
  [
    'hosts',
    'schedule',
    'worked around',
    'rerouted before',
    'block to reroute, median',
    'p95',
    'worst',
    'median of all addresses, of one',
    'released',
    'end to release, median',
    'worst',
  ],
  reactions,
);
process.stdout.write('\n');
printTable(
  [
    'hosts',
    'schedule',
    'false reroutes',
    'released too early',
    'requests an hour and address',
    'busiest minute',
    'of regular checks alone',
    'CPU of the simulation',
  ],
  costs,
);
