/** The command line of the service alone: what is loaded for `netsteward run` stays in its memory for good. */
import type { Command } from 'commander';
import { programFrame, runProgram } from './program-frame.ts';
import { registerRun } from './run.ts';

function buildRun(): Command {
  const program = programFrame();
  registerRun(program);
  return program;
}

/** For arguments that begin with `run`; as runCli() of program.ts. */
export function runCli(args: readonly string[]): Promise<number> {
  return runProgram(buildRun, args);
}
