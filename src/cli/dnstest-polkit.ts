/** `netsteward dnstest polkit`: the command line. */
import { Command, InvalidArgumentError } from 'commander';
import { addConfigOptions, type ConfigOptions, configSource } from './config-options.ts';

interface PolkitFlags extends ConfigOptions {
  readonly user: string;
}

/** The subcommand `polkit`, on its own: whoever adds it lends it the settings of the program (copyInheritedSettings). */
export function dnstestPolkit(): Command {
  const command = new Command('polkit')
    .summary('print the polkit rule for the units that cures restart')
    .description(
      'Prints a rule by which the user of netsteward.service may restart and reload the units that the cures of [dnstest] name, and no other.',
    );
  return addConfigOptions(command)
    .option('-u, --user <name>', 'the user that netsteward runs as', userName, 'netsteward')
    .addHelpText(
      'after',
      `
systemd tells polkit a unit's own name: a cure must not name an alias.

Example:
  $ netsteward dnstest polkit > /etc/polkit-1/rules.d/50-netsteward-dnstest.rules`,
    )
    .action(async ({ user, ...options }: PolkitFlags) => {
      const { printPolkitRule } = await import('./dnstest-polkit-run.ts');
      process.exitCode = await printPolkitRule(configSource(options), user);
    });
}

/** As systemd takes them (systemd.syntax, "USER/GROUP NAME SYNTAX"). */
function userName(text: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_-]{0,30}$/.test(text)) return text;
  throw new InvalidArgumentError('must be the name of a user');
}
