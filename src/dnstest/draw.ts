/** Draws the name of a check: one that no cache knows, and whose answer no rebinding filter drops (pure but for chance). */
import { NetstewardError } from '../core/errors.ts';
import { filteredRange } from './filtered-address.ts';
import { fillName, lettersPerPlace, type NameTemplate } from './name-template.ts';

/** Of name-hash.ts: the address that a name must have. */
export interface ExpectedAddresses {
  address(name: string, family: 4 | 6): string;
}

/** Bytes from a generator that nobody can foretell (crypto.randomBytes). */
export type RandomBytes = (count: number) => Uint8Array;

export interface DrawnName {
  readonly name: string;
  /** The one right address of the family asked, in canonical text. */
  readonly expected: string;
  /** The range that filters drop the expected address for. Only a fixed name can have one. */
  readonly filtered: string | undefined;
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/**
 * One draw in 80 is filtered (1.2 % of IPv4, 0.5 % of IPv6 addresses). So many in a row do not come from chance but from a
 * generator that always says the same.
 */
const mostDraws = 100;

/** `family`: of the address that will be asked for. Throws NetstewardError `dnstest-name`. */
export function drawName(
  template: NameTemplate,
  family: 4 | 6,
  hash: ExpectedAddresses,
  random: RandomBytes,
): DrawnName {
  let drawn: DrawnName | undefined;
  for (let draws = 0; draws < mostDraws; draws++) {
    const name = fillName(template, drawLetters(lettersPerPlace * template.places, random));
    // Whether IDNA has a form for a label may hang on its letters (RFC 5893 section 2).
    if (name === '') continue;
    const expected = hash.address(name, family);
    drawn = { name, expected, filtered: filteredRange(expected, family) };
    if (drawn.filtered === undefined || template.places === 0) return drawn;
  }
  if (drawn !== undefined) return drawn;
  throw new NetstewardError('dnstest-name', `"${template.text}" cannot be asked for: IDNA has no form for it`);
}

/** Each of the 36 letters as likely as the others: bytes from 252 on are thrown away. */
export function drawLetters(count: number, random: RandomBytes): string {
  let letters = '';
  while (letters.length < count) {
    for (const byte of random(count - letters.length)) {
      if (byte < 252) letters += alphabet[byte % alphabet.length];
    }
  }
  return letters;
}
