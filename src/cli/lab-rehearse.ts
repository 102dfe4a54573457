/** `netsteward lab rehearse`: netsteward in the lab's router, a client that fetches, and a censor on tour. `npm start` runs it. */
import type { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import { printable, printableLines } from '../core/printable.ts';
import { print } from './output.ts';

interface RehearseOptions {
  readonly config: string;
  readonly state?: string;
  readonly tour: boolean;
}

/** Adds the subcommand to `lab`. */
export function registerRehearse(lab: Command): void {
  lab
    .command('rehearse')
    .description('run netsteward in a lab of its own, with a client that fetches and a censor that blocks')
    .requiredOption('-c, --config <file>', 'the configuration; its files and timers are replaced by the lab’s')
    .option('--state <folder>', 'state folder of the lab (default: $XDG_RUNTIME_DIR/netsteward-lab)')
    .option('--no-tour', 'the censor waits for `netsteward lab censor …` from another terminal')
    .action((options: RehearseOptions) => rehearse(options));
}

const picture = `
  lan ── router ── isp ──── world      direct: the censor sits in isp
           └────── exit ──────┘        around: the tunnel
`;

async function rehearse(options: RehearseOptions): Promise<void> {
  const { Rehearsal } = await import('../lab/rehearsal.ts');
  const { defaultStateDir } = await import('../lab/state-folder.ts');
  const { logSentence } = await import('./log-look.ts');
  const stateDir = options.state ?? defaultStateDir();
  const begun = systemClock.monotonic();
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ended.abort());

  print('A small internet in namespaces of its own; nothing here touches the network of this machine.\n');
  print(`${picture}\n`);
  const rehearsal = await Rehearsal.start({
    stateDir,
    config: options.config,
    mainJs: process.argv[1] ?? '',
    tour: options.tour,
    tell: (who, text) => print(`${clock()} ${who.padEnd(10)} ${printableLines(text)}\n`),
    logLine: (json) => logSentence(json),
  });
  const state = options.state === undefined ? '' : ` --state ${options.state}`;
  const { lab } = rehearsal;
  print(`netsteward runs in the lab's router with ${printable(options.config)}; hours are seconds here.

${pageText(rehearsal.page)}In another terminal:
  npx --no-install netsteward status --socket ${rehearsal.socket}
  npx --no-install netsteward lab exec${state} router -- nft list table inet netsteward-nbrpc
  npx --no-install netsteward lab censor${state} news.example sni      (kinds: netsteward lab censor --help; none ends it)
  npx --no-install netsteward lab curl${state} news.example
The check list is ${rehearsal.checkList}
${options.tour ? ordersBesideTheTour : ''}
Ready after ${((systemClock.monotonic() - begun) / 1000).toFixed(1)} s. Here is each flip as it happens; Ctrl-C ends everything.

`);
  try {
    await rehearsal.play(ended.signal);
  } finally {
    await rehearsal.stop();
  }
  print(`\nThe lab is down; nothing of it is left but ${lab.stateDir}/router.\n`);
}

function pageText(page: { readonly url: string; readonly tokenFile: string } | undefined): string {
  if (page === undefined) return '';
  return `The status page: ${page.url}   (for “check now”, the token in ${page.tokenFile})

`;
}

// Its control services are blocked by the tour too: with both gone, netsteward takes its own side to be broken, and judges nothing.
const ordersBesideTheTour = `The censor's tour takes some three minutes. It blocks and frees the same services: give orders of your own when it is over,
or go without it (npm start -- --no-tour).
`;

/** Local time, `12:34:56`. */
function clock(): string {
  return new Date(systemClock.now()).toTimeString().slice(0, 8);
}
