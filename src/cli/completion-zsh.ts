/** The completion script for zsh (pure). */
import type { CommandShape } from './command-shape.ts';
import { levelsOf, offersOf, patternsOf, quote, walkBody } from './completion-levels.ts';

/** In _describe (zshcompsys(1)) a colon parts the word from its description. */
const entry = (word: string, description: string): string => quote(`${word.replaceAll(':', '\\:')}:${description}`);

export function zshScript(root: CommandShape): string {
  const { name } = root;
  const values = levelsOf(root).flatMap(({ path, command }) =>
    command.options.flatMap((option) => {
      const patterns = patternsOf(path, option).map(quote).join('|');
      if (option.choices.length > 0) return `      ${patterns}) compadd -- ${option.choices.map(quote).join(' ')} ;;`;
      return option.value === 'file' ? `      ${patterns}) _files ;;` : [];
    }),
  );
  const offers = offersOf(root).map(({ place, commands, choices }) => {
    const entries = [...commands.map((inner) => entry(inner.name, inner.description)), ...choices.map(quote)];
    return `    ${quote(place)}) offers=(\n      ${entries.join('\n      ')}\n    ) ;;`;
  });
  const options = levelsOf(root).map(({ path, command }) => {
    const entries = command.options.flatMap((option) => option.flags.map((flag) => entry(flag, option.description)));
    return `      ${quote(path)}) offers=(\n        ${entries.join('\n        ')}\n      ) ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}; made by: ${name} completion zsh
_${name}() {
  local level='' pending='' word
  local -i count=0
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
${walkBody(root)}
  done
  if [[ -n $pending ]]; then
    case "$pending" in
${values.join('\n')}
    esac
    return
  fi
  case "$level#$count" in
${offers.join('\n')}
  esac
  if [[ $words[CURRENT] == -* || $#offers -eq 0 ]]; then
    case "$level" in
${options.join('\n')}
    esac
  fi
  _describe ${quote(name)} offers
}
if [[ \${funcstack[1]-} == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}
