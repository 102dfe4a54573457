/** What may go out as a DNS question (pure). */

// Letters, digits, hyphens and underscores: names of hosts and services (RFC 1123 §2.1, RFC 2181 §11).
const label = /^[A-Za-z0-9_-]{1,63}$/;

/** Undefined for a name that may be asked (with or without a trailing dot), else what is wrong with it. */
export function questionProblem(name: string): string | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '') return 'the name is empty';
  // RFC 1035 §2.3.4: 255 octets with the lengths of the labels and the root.
  if (bare.length > 253) return 'a name has at most 253 characters';
  for (const part of bare.split('.')) {
    if (part === '') return 'the name has an empty label';
    if (!label.test(part)) return 'a label has 1 to 63 letters, digits, hyphens or underscores';
  }
  return undefined;
}
