/** Text that others wrote, made safe to show: no control character, no direction override, no ANSI sequence reaches a terminal. */

// C0 with DEL and C1 (ECMA-48), line and paragraph separators, zero-width and direction controls (Unicode TR36 §3), and lone
// surrogates (Cs), which have no UTF-8 form.
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

function visible(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** One line: every control character becomes a visible escape such as `\x1b` or `\n`. */
export function printable(text: string): string {
  return text.replace(unsafe, visible);
}

/** The same for text of several lines: its line feeds stay. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON text in which what JSON.stringify leaves raw (DEL, C1, direction controls) is escaped too; its meaning stays. */
export function printableJson(json: string): string {
  return json.replace(unsafe, (character) =>
    character === '\n' ? character : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * JSON text for a page: what JSON.stringify leaves raw of such characters becomes text that shows them, such as `\u202e`. Markup is
 * no danger there, but a direction override in a name turns around what stands beside it.
 */
export function visibleJson(json: string): string {
  return json.replace(unsafe, (character) => `\\\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
