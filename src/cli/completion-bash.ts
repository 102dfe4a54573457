/** The completion script for bash (pure). */
import type { CommandShape } from './command-shape.ts';
import { levelsOf, offersOf, patternsOf, quote, walkBody } from './completion-levels.ts';

const list = (words: readonly string[]): string => words.map(quote).join(' ');

/** Needs bash 4 (`mapfile`, `compopt`). */
export function bashScript(root: CommandShape): string {
  const { name } = root;
  const values = levelsOf(root).flatMap(({ path, command }) =>
    command.options.flatMap((option) => {
      const patterns = patternsOf(path, option).map(quote).join('|');
      if (option.choices.length > 0) return `    ${patterns}) words=(${list(option.choices)}) ;;`;
      return option.value === 'file'
        ? `    ${patterns}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;`
        : [];
    }),
  );
  const options = levelsOf(root).map(
    ({ path, command }) => `    ${quote(path)}) words=(${list(command.options.flatMap((option) => option.flags))}) ;;`,
  );
  const offers = offersOf(root).map(
    ({ place, commands, choices }) =>
      `    ${quote(place)}) words=(${list([...commands.map((inner) => inner.name), ...choices])}) ;;`,
  );
  return `# bash completion for ${name}; made by: ${name} completion bash
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} level='' pending='' word
  local -a words=()
  local -i count=0 at
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
${walkBody(root)}
  done
  [[ -n $pending && $current == '=' ]] && current=''
  if [[ -n $pending ]]; then
    case "$pending" in
${values.map((each) => `  ${each}`).join('\n')}
    esac
  else
    case "$level#$count" in
${offers.map((each) => `  ${each}`).join('\n')}
    esac
    if [[ $current == -* || \${#words[@]} -eq 0 ]]; then
      case "$level" in
${options.map((each) => `    ${each}`).join('\n')}
      esac
    fi
  fi
  # Not compgen -W: it expands what it is given.
  for word in "\${words[@]}"; do
    [[ $word == "$current"* ]] && COMPREPLY+=("$word")
  done
}
complete -F _${name} ${name}
`;
}
