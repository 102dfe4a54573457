/** A command tree as plain values: what shell completion and man pages need of it. */
import type { Command } from 'commander';

export interface OptionShape {
  /** `-c` and `--config`, as far as there are. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** The only values, where they are known. */
  readonly choices: readonly string[];
}

export interface CommandShape {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  /** Values that the first argument can have, where they are known. */
  readonly choices: readonly string[];
  readonly commands: readonly CommandShape[];
}

/** Hidden commands and options are left out; `help` is in. */
export function commandShape(command: Command): CommandShape {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.summary() || command.description(),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
      description: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
    choices: command.registeredArguments[0]?.argChoices ?? [],
    commands: help.visibleCommands(command).map(commandShape),
  };
}
