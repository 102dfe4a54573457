/** What every command line of netsteward has in common: the root command without its subcommands, and how it ends. */
import { Command, CommanderError } from 'commander';
import { exitCodes } from '../core/exit-codes.ts';
import { exitCodeOf, failureText } from './failure.ts';
import { endQuietlyWithReader, print, printError } from './output.ts';
import { packageVersion } from './version.ts';

export function programFrame(): Command {
  return (
    new Command('netsteward')
      .description("Keeps a Linux router's or server's network policy true while the world under it moves.")
      .version(packageVersion(), '-V, --version', 'print the version')
      .helpOption('-h, --help', 'explain a command')
      .showHelpAfterError('(see --help)')
      // Each level takes its own options: -f means one thing to cgroup-nft and another to cgroup-nft explain.
      .enablePositionalOptions()
      .configureOutput({ writeOut: print, writeErr: printError })
      .exitOverride()
  );
}

/**
 * Runs one command line (without `node` and the script) and gives its exit code. Never rejects. `usageCode`: what ends a command line
 * that is wrong.
 */
export async function runProgram(
  build: () => Command,
  args: readonly string[],
  usageCode: (error: CommanderError) => number = () => exitCodes.usage,
): Promise<number> {
  endQuietlyWithReader();
  try {
    await build().parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its own message already; 0 is --help and --version.
      return error.exitCode === 0 ? exitCodes.ok : usageCode(error);
    }
    printError(failureText(error));
    return exitCodeOf(error);
  }
}
