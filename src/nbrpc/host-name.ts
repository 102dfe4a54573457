/** What a host name in a check list may contain: everything that leaves this process under that name has passed here (pure). */

// Letters, digits, `-` and `_` are what DNS names of hosts and services are made of (RFC 1123 §2.1, RFC 2181 §11). `=` is
// let through because the list grammar makes `a=200` of the token `a=200:http`; it is harmless in nft (names never get
// there), in SQL (bound parameters) and in zone files. No quote, blank, `$`, `;`, `\`, `(`, `*` or control character is.
const label = /^[A-Za-z0-9_=-]{1,63}$/;

/** Undefined for a good name, else what is wrong with it. A trailing dot and either case are fine and stay as they are. */
export function hostNameProblem(name: string): string | undefined {
  if (name === '') return 'the host name is missing';
  // A leading `-` would be read as an option by every command that gets the name as an argument.
  if (name.startsWith('-')) return 'a host name cannot start with "-"';
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare.length > 253) return 'a host name has at most 253 characters';
  for (const part of bare.split('.')) {
    if (part === '') return 'the host name has an empty label';
    if (part.length > 63) return 'a label of a host name has at most 63 characters';
    if (!label.test(part)) {
      const wrong = /[^A-Za-z0-9_=-]/u.exec(part)?.[0] ?? '';
      return (wrong.codePointAt(0) ?? 0) > 0x7f
        ? 'a host name is ASCII: write an international name in its xn-- form'
        : `a host name cannot contain ${JSON.stringify(wrong)}`;
    }
  }
  return undefined;
}
