/** `netsteward run`: the service. */
import type { Command } from 'commander';
import { addConfigOptions, type ConfigOptions, configSource } from './config-options.ts';

export function registerRun(program: Command): void {
  addConfigOptions(program.command('run'))
    .summary('run the modules that the configuration names')
    .description('Runs every module that the configuration has a table for, until SIGTERM or SIGINT.')
    .addHelpText(
      'after',
      `
SIGHUP, or \`netsteward reload\`, reads the configuration again: it is taken as a whole or not at all.

Exit codes: 0 it was asked to stop, 1 it could not begin or crashed, 64 the command line is wrong,
69 a module of supervisor.must_start could not start, 78 the configuration is wrong.

Relative file names in the configuration begin at its folder, those in --set at the working directory.

Examples:
  $ netsteward run -c ./netsteward.toml
  $ netsteward run -c ./netsteward.toml --set 'log.level="debug"' --set 'nbrpc.timers.pass="30s"'`,
    )
    .action(async (options: ConfigOptions) => {
      const { runService } = await import('./run-service.ts');
      await runService(configSource(options));
      // A module that could not be stopped within its time limit must not keep the process.
      process.exit();
    });
}
