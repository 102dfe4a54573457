/** The whole command line: every subcommand, and what they have in common (help, exit codes, did-you-mean). */
import type { Command } from 'commander';
import { exitCodes } from '../core/exit-codes.ts';
import { dropInUsage, registerCgroupNft } from './cgroup-nft.ts';
import { registerCheck } from './check.ts';
import { registerCompletion } from './completion.ts';
import { dnstestUsage, registerDnstest } from './dnstest.ts';
import { registerDyndns } from './dyndns.ts';
import { registerEvents } from './events.ts';
import { registerGuard } from './guard.ts';
import { registerHelp } from './help.ts';
import { registerLab } from './lab.ts';
import { registerMetrics } from './metrics.ts';
import { registerNbrpc } from './nbrpc.ts';
import { registerNftAgent } from './nft-agent.ts';
import { registerPage } from './page.ts';
import { programFrame, runProgram } from './program-frame.ts';
import { registerReload } from './reload.ts';
import { registerRun } from './run.ts';
import { registerStatus } from './status.ts';
import { registerWatch } from './watch.ts';

/** Commander's command tree; building it loads nothing that only one subcommand needs. */
export function buildProgram(): Command {
  const program = programFrame().addHelpText(
    'after',
    `
A first look:
  $ netsteward check -c netsteward.toml --host    is the configuration right, and is the machine fit for it?
  $ netsteward run -c netsteward.toml             keep it true until Ctrl-C
  $ netsteward status                             in another terminal: what it does, since when, why
  $ netsteward events --since 1d                  what changed, when and why

Exit codes: 0 fine, 1 failed, 64 the command line is wrong, 78 the configuration is wrong.`,
  );
  program.commandsGroup('The service:');
  registerRun(program);
  registerCheck(program);
  registerStatus(program);
  registerWatch(program);
  registerEvents(program);
  registerMetrics(program);
  registerPage(program);
  registerReload(program);
  program.commandsGroup('More:');
  registerNbrpc(program);
  registerCgroupNft(program);
  registerDyndns(program);
  registerDnstest(program);
  registerLab(program);
  registerGuard(program);
  registerNftAgent(program);
  registerCompletion(program);
  registerHelp(program, buildProgram);
  return program;
}

/** Runs one command line (without `node` and the script) and gives its exit code. Never rejects. */
export function runCli(args: readonly string[]): Promise<number> {
  return runProgram(buildProgram, args, (error) => {
    if (error.code === dnstestUsage) return error.exitCode;
    return error.code === dropInUsage ? exitCodes.failure : exitCodes.usage;
  });
}
