/** What the completion scripts of all shells share: the levels of the command tree, and the walk along a command line (pure). */
import type { CommandShape, OptionShape } from './command-shape.ts';

export interface Level {
  /** The names that lead to the command, without the program's, joined with blanks. */
  readonly path: string;
  readonly command: CommandShape;
}

export function levelsOf(command: CommandShape, path = ''): readonly Level[] {
  const inner = command.commands.flatMap((each) => levelsOf(each, `${path} ${each.name}`.trim()));
  return [{ path, command }, ...inner];
}

/** In single quotes for bash and zsh. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** All `LEVEL/FLAG` that take a value. */
export function valuePatterns(root: CommandShape): readonly string[] {
  return levelsOf(root).flatMap(({ path, command }) => command.options.flatMap((option) => patternsOf(path, option)));
}

export function patternsOf(path: string, option: OptionShape): readonly string[] {
  return option.value === 'none' ? [] : option.flags.map((flag) => `${path}/${flag}`);
}

/** `PARENT/NAME` of every command, and its own level. */
export function steps(root: CommandShape): readonly { readonly pattern: string; readonly level: string }[] {
  return levelsOf(root)
    .filter(({ path }) => path !== '')
    .map(({ path, command }) => ({
      pattern: `${path.slice(0, -command.name.length).trim()}/${command.name}`,
      level: path,
    }));
}

/** What one place on the command line can hold: `LEVEL#N`, N counting the arguments before it. */
export interface Offer {
  readonly place: string;
  readonly commands: readonly CommandShape[];
  readonly choices: readonly string[];
}

/** The places where something is known. */
export function offersOf(root: CommandShape): readonly Offer[] {
  return levelsOf(root).flatMap(({ path, command }): readonly Offer[] => {
    const choices = command.arguments.map((each, index) => ({
      place: `${path}#${index}`,
      commands: [],
      choices: each,
    }));
    if (command.commands.length === 0) return choices.filter((offer) => offer.choices.length > 0);
    return [{ place: `${path}#0`, commands: command.commands, choices: [] }];
  });
}

/**
 * For bash and zsh: the body of a loop over the words before the one to complete. Sets `level`, `count` (arguments so far) and
 * `pending` (`LEVEL/FLAG` of an option whose value comes next).
 */
export function walkBody(root: CommandShape): string {
  const values = valuePatterns(root).map(quote).join('|');
  const cases = steps(root).map(
    ({ pattern, level }) => `      ${quote(pattern)}) [[ $count -gt 0 ]] || { level=${quote(level)}; continue; } ;;`,
  );
  return `    if [[ -n $pending ]]; then
      # bash parts --option=value into three words.
      [[ $word == '=' ]] || pending=''
      continue
    fi
    case "$level/$word" in
      ${values}) pending="$level/$word"; continue ;;
${cases.join('\n')}
    esac
    [[ $word == -* ]] || count=$((count + 1))`;
}
