/** `netsteward help …`: the same as `… --help`, on every level; a command that does not exist is an error with a suggestion. */
import { Argument, type Command } from 'commander';

/** `again` builds the same command line a second time: commander parses each only once. */
export function registerHelp(root: Command, again: () => Command): void {
  addHelp(root, [], again);
}

function addHelp(command: Command, path: readonly string[], again: () => Command): void {
  // Commander's own takes one name, and answers an unknown one with general help and without a word of what is wrong.
  command.helpCommand(false);
  for (const inner of command.commands) {
    if (inner.commands.length > 0) addHelp(inner, [...path, inner.name()], again);
  }
  command
    .command('help')
    .summary('explain a command')
    .description('Explains a command, as its --help does.')
    .addArgument(new Argument('[command...]', 'its name, and that of its subcommand'))
    .action(async (names: readonly string[]) => {
      let at = command;
      for (const [depth, name] of names.entries()) {
        const inner = at.commands.find((each) => each.name() === name);
        if (inner === undefined) {
          const parents = [...path, ...names.slice(0, depth)];
          if (at.commands.length === 0) at.error(`error: ${parents.join(' ')} has no commands`);
          // As if it had been asked for itself: the error of an unknown command.
          await again().parseAsync([...parents, name], { from: 'user' });
          return;
        }
        at = inner;
      }
      at.help();
    });
}
