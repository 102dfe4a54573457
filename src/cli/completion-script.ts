/** Completion scripts for bash, zsh and fish, made from the command tree (pure). */
import type { CommandShape, OptionShape } from './command-shape.ts';

export function completionScript(shell: 'bash' | 'zsh' | 'fish', root: CommandShape): string {
  if (shell === 'bash') return bashScript(root);
  return shell === 'zsh' ? zshScript(root) : fishScript(root);
}

interface Level {
  /** The names that lead to the command, without the program's. */
  readonly path: readonly string[];
  readonly command: CommandShape;
}

function* levels(command: CommandShape, path: readonly string[] = []): Generator<Level> {
  yield { path, command };
  for (const inner of command.commands) yield* levels(inner, [...path, inner.name]);
}

/** In single quotes for a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Both bash and zsh: shell code that sets `level` to the path of the command on the line so far. */
function levelWalk(root: CommandShape, words: string): string {
  const steps = [...levels(root)]
    .filter(({ path }) => path.length > 0)
    .map(
      ({ path }) =>
        `      ${quote(`${path.slice(0, -1).join(' ')}/${path.at(-1)}`)}) level=${quote(path.join(' '))} ;;`,
    );
  return `  for word in ${words}; do
    case "$level/$word" in
${steps.join('\n')}
    esac
  done`;
}

function valueCases(root: CommandShape, offer: (option: OptionShape) => string): string {
  return [...levels(root)]
    .flatMap(({ path, command }) =>
      command.options
        .filter((option) => option.takesValue)
        .map((option) => {
          const patterns = option.flags.map((flag) => quote(`${path.join(' ')}/${flag}`)).join('|');
          return `    ${patterns}) ${offer(option)}; return ;;`;
        }),
    )
    .join('\n');
}

const wordsOf = ({ command }: Level): readonly string[] => [
  ...command.commands.map((inner) => inner.name),
  ...command.choices,
  ...command.options.flatMap((option) => option.flags),
];

function bashScript(root: CommandShape): string {
  const name = root.name;
  const offers = [...levels(root)].map(
    (level) => `    ${quote(level.path.join(' '))}) words=${quote(wordsOf(level).join(' '))} ;;`,
  );
  return `# bash completion for ${name}; made by: ${name} completion bash
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} level='' words='' word
  COMPREPLY=()
${levelWalk(root, `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`)}
  case "$level/$previous" in
${valueCases(root, ({ choices }) =>
  choices.length > 0
    ? `COMPREPLY=($(compgen -W ${quote(choices.join(' '))} -- "$current"))`
    : 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current")',
)}
  esac
  case "$level" in
${offers.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _${name} ${name}
`;
}

function zshScript(root: CommandShape): string {
  const name = root.name;
  // In _describe a colon parts the word from its description.
  const entry = (word: string, description: string): string => quote(`${word.replaceAll(':', '\\:')}:${description}`);
  const offers = [...levels(root)].map(({ path, command }) => {
    const entries = [
      ...command.commands.map((inner) => entry(inner.name, inner.description)),
      ...command.choices.map((choice) => entry(choice, choice)),
      ...command.options.flatMap((option) => option.flags.map((flag) => entry(flag, option.description))),
    ];
    return `    ${quote(path.join(' '))}) offers=(\n      ${entries.join('\n      ')}\n    ) ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}; made by: ${name} completion zsh
_${name}() {
  local level='' word
  local -a offers
${levelWalk(root, `"\${(@)words[2,CURRENT-1]}"`)}
  case "$level/\${words[CURRENT-1]}" in
${valueCases(root, ({ choices }) => (choices.length > 0 ? `compadd -- ${choices.map(quote).join(' ')}` : '_files'))}
  esac
  case "$level" in
${offers.join('\n')}
  esac
  _describe ${quote(name)} offers
}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fishScript(root: CommandShape): string {
  const name = root.name;
  // In fish's single quotes both the quote and the backslash are escaped with a backslash.
  const fishQuote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = [...levels(root)].flatMap(({ path, command }) => {
    const condition = `-n ${fishQuote(`__${name}_at ${path.join(' ')}`.trimEnd())}`;
    const words = [
      ...command.commands.map((inner) => `-a ${fishQuote(inner.name)} -d ${fishQuote(inner.description)}`),
      ...command.choices.map((choice) => `-a ${fishQuote(choice)}`),
    ];
    const options = command.options.map((option) => {
      const flags = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      const values =
        option.choices.length > 0 ? ` -x -a ${fishQuote(option.choices.join(' '))}` : option.takesValue ? ' -r -F' : '';
      return `${flags.join(' ')}${values} -d ${fishQuote(option.description)}`;
    });
    return [...words, ...options].map((each) => `complete -c ${name} ${condition} ${each}`);
  });
  const paths = [...levels(root)].filter(({ path }) => path.length > 0);
  return `# fish completion for ${name}; made by: ${name} completion fish
function __${name}_at
  set -l level ''
  for word in (commandline -opc)[2..]
    switch "$level/$word"
${paths.map(({ path }) => `      case ${fishQuote(`${path.slice(0, -1).join(' ')}/${path.at(-1)}`)}\n        set level ${fishQuote(path.join(' '))}`).join('\n')}
    end
  end
  test "$level" = "$argv"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}
