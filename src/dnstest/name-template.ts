/** The name that a check asks for, as typed: where random letters belong, and what becomes of it on the wire (pure). */
import { domainToASCII } from 'node:url';

export interface NameTemplate {
  /** As typed, without a dot at the end. */
  readonly text: string;
  /** How many `@` there are: each becomes 12 letters, anew for each check. 0: the name is fixed, and a cache may know it. */
  readonly places: number;
}

export type ReadTemplate =
  | { readonly template: NameTemplate; readonly problem?: undefined }
  | { readonly problem: string; readonly template?: undefined };

/** Characters of [a-z0-9] that stand for one `@` (contracts/dnstest.md, section 4). */
export const lettersPerPlace = 12;

export function readNameTemplate(typed: string): ReadTemplate {
  const template = { text: typed.replace(/\.$/, ''), places: typed.split('@').length - 1 };
  // Any letters will do to see whether the name is one: their number is what counts.
  const name = fillName(template, 'x'.repeat(lettersPerPlace * template.places));
  const problem = nameProblem(name);
  return problem === undefined ? { template } : { problem: `"${typed}" cannot be asked for: ${problem}` };
}

/**
 * The name as it is asked and hashed: IDNA first (RFC 5891: `почта.example` is `xn--...`), lower case, no dot at the end; empty where
 * IDNA has no form for it. `letters`: 12 for each place, the first ones for the first.
 */
export function fillName({ text }: NameTemplate, letters: string): string {
  let next = 0;
  const filled = text.replace(/@/g, () => {
    next += lettersPerPlace;
    return letters.slice(next - lettersPerPlace, next);
  });
  // domainToASCII is made for URLs and turns "0x7f.1" into an address: only what needs it goes there.
  const ascii = /^[\x20-\x7e]*$/.test(filled) ? filled : domainToASCII(filled);
  return ascii.toLowerCase();
}

/** RFC 1035 section 2.3.4: 63 bytes a label, 255 on the wire in all. Underscores are common, spaces and escapes are not. */
function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty, or has characters that no name can have (IDNA)';
  const labels = name.split('.');
  if (labels.includes('')) return 'it has an empty label (two dots, or one at the beginning)';
  const odd = /[^a-z0-9_-]/.exec(name.replaceAll('.', ''));
  if (odd !== null) return `it has a "${odd[0]}"`;
  const long = labels.find((label) => label.length > 63);
  if (long !== undefined) return `the label "${long}" has ${long.length} characters, at most 63 are possible`;
  // A length byte for each label and the root's.
  return name.length + 2 > 255 ? `it has ${name.length} characters, at most 253 are possible` : undefined;
}
