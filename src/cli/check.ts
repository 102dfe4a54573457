/** `netsteward check`: is the configuration right, and is the machine fit for it? */
import type { Command } from 'commander';
import { addConfigOptions, type ConfigOptions, configSource } from './config-options.ts';

interface CheckOptions extends ConfigOptions {
  readonly host?: true;
}

export function registerCheck(program: Command): void {
  addConfigOptions(program.command('check'))
    .summary('check the configuration, and with --host the machine')
    .description(
      'Checks the configuration: every problem of it at once, each with file, line and column. ' +
        'With --host it also looks at the machine, without changing anything.',
    )
    .option('--host', 'look at the machine too: nft, kernel, sets that the configuration names, rules and routes')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine (perhaps with warnings), 1 the machine is not fit, 78 the configuration is wrong.

Examples:
  $ netsteward check -c ./netsteward.toml
  $ netsteward check --host`,
    )
    .action(async ({ host, ...options }: CheckOptions) => {
      const { checkConfiguration } = await import('./check-configuration.ts');
      process.exitCode = await checkConfiguration(configSource(options), host === true);
    });
}
