/** The options by which `run` and `check` find the configuration. */
import { type Command, Option } from 'commander';
import type { ConfigSource } from '../supervisor/config.ts';

export const defaultConfigFile = '/etc/netsteward/netsteward.toml';

export interface ConfigOptions {
  readonly config: string;
  readonly set: readonly string[];
}

export function addConfigOptions(command: Command): Command {
  return command
    .addOption(new Option('-c, --config <file>', 'the configuration').default(defaultConfigFile))
    .addOption(
      new Option('--set <key=value>', 'one key of the configuration, the value as in TOML; may be repeated')
        .default([], 'none')
        .argParser((value: string, before: readonly string[]) => [...before, value]),
    );
}

export function configSource({ config, set }: ConfigOptions): ConfigSource {
  return { file: config, overrides: set, workingDirectory: process.cwd() };
}
