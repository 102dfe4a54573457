/** The completion script for fish (pure). */
import type { CommandShape, OptionShape } from './command-shape.ts';
import { levelsOf, offersOf, steps, valuePatterns } from './completion-levels.ts';

/** In single quotes both the quote and the backslash are escaped with a backslash. */
const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;

/** What -a gets is expanded once more when it is offered (complete(1)). */
const words = (all: readonly string[]): string => quote(all.map(quote).join(' '));

export function fishScript(root: CommandShape): string {
  const { name } = root;
  const when = (...at: string[]): string => `-n ${quote(`__${name}_at ${at.map(quote).join(' ')}`)}`;
  const offers = offersOf(root).flatMap(({ place, commands, choices }) => {
    const [level = '', count = ''] = place.split('#');
    return [
      ...commands.map((inner) => `${when(level, count)} -a ${words([inner.name])} -d ${quote(inner.description)}`),
      ...choices.map((choice) => `${when(level, count)} -a ${words([choice])}`),
    ];
  });
  const options = levelsOf(root).flatMap(({ path, command }) =>
    command.options.map(
      (option) => `${when(path)} ${flagsOf(option)}${valueFlags(option)} -d ${quote(option.description)}`,
    ),
  );
  return `# fish completion for ${name}; made by: ${name} completion fish
# Whether the words before the cursor lead to this command, with so many arguments (where a number is given).
function __${name}_at
  set -l level ''
  set -l count 0
  set -l pending ''
  for word in (commandline -opc)[2..]
    if test -n "$pending"
      set pending ''
      continue
    end
    switch "$level/$word"
      case ${valuePatterns(root).map(quote).join(' ')}
        set pending "$level/$word"
        continue
${steps(root)
  .map(
    ({ pattern, level }) =>
      `      case ${quote(pattern)}\n        if test $count -eq 0\n          set level ${quote(level)}\n          continue\n        end`,
  )
  .join('\n')}
    end
    string match -q -- '-*' "$word"; or set count (math $count + 1)
  end
  test "$level" = "$argv[1]"; or return 1
  test (count $argv) -eq 1; or test $count -eq $argv[2]
end
complete -c ${name} -f
${[...offers, ...options].map((each) => `complete -c ${name} ${each}`).join('\n')}
`;
}

const flagsOf = ({ flags }: OptionShape): string =>
  flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');

function valueFlags({ value, choices }: OptionShape): string {
  if (value === 'none') return '';
  if (choices.length > 0) return ` -x -a ${words(choices)}`;
  return value === 'file' ? ' -r -F' : ' -x';
}
