/** A command tree as plain values: what shell completion and man pages need of it. */
import type { Argument, Command, Option } from 'commander';

export interface OptionShape {
  /** `-c` and `--config`, as far as there are. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What follows the flag: nothing, the name of a file or folder, or some other text. */
  readonly value: 'none' | 'file' | 'text';
  /** The only values, where they are known. */
  readonly choices: readonly string[];
}

export interface CommandShape {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  /** For each argument in order: the only values, where they are known. */
  readonly arguments: readonly (readonly string[])[];
  readonly commands: readonly CommandShape[];
}

/** Hidden commands and options are left out; `help` is in. */
export function commandShape(command: Command): CommandShape {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const siblings = commands.map((inner) => inner.name()).filter((name) => name !== 'help');
  return {
    name: command.name(),
    description: command.summary() || command.description(),
    options: help.visibleOptions(command).map(optionShape),
    arguments: command.registeredArguments.map(choicesOf),
    commands: commands.map((inner) =>
      inner.name() === 'help' ? { ...commandShape(inner), arguments: [siblings] } : commandShape(inner),
    ),
  };
}

const choicesOf = ({ argChoices }: Argument): readonly string[] => argChoices ?? [];

function optionShape(option: Option): OptionShape {
  const takesValue = option.required || option.optional;
  // The name of the value in `-c, --config <file>`.
  const names = /[<[](?:file|path|folder)(?:\.\.\.)?[>\]]/.test(option.flags) ? 'file' : 'text';
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
    description: option.description,
    value: takesValue ? names : 'none',
    choices: option.argChoices ?? [],
  };
}
