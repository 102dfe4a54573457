/** Whether tinydns-data of djbdns 1.05, as distributions ship it, takes a line: one that it does not stops the whole zone (pure). */

const colon = 0x3a;
const dot = 0x2e;
const backslash = 0x5c;

/** Leading characters; `3` and `6` are known to the IPv6 patch only. */
const plainKinds = "%.&=+@-#'^C:Z";
const patchedKinds = `${plainKinds}36`;

/** Types that have a line kind of their own, or are no records. */
const prohibitedTypes: ReadonlyMap<number, string> = new Map([
  [0, '0'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [15, 'MX'],
  [252, 'AXFR'],
]);

/** Which fields of a kind hold names; `suffix` is what a short server name gets before the line's own name. */
const namesOf: Readonly<Record<string, { readonly fields: readonly number[]; readonly suffix?: string }>> = {
  Z: { fields: [0, 1, 2] },
  '.': { fields: [0], suffix: '.ns.' },
  '&': { fields: [0], suffix: '.ns.' },
  '@': { fields: [0], suffix: '.mx.' },
  '+': { fields: [0] },
  '=': { fields: [0] },
  '^': { fields: [0, 1] },
  C: { fields: [0, 1] },
  "'": { fields: [0] },
  ':': { fields: [0] },
  '3': { fields: [0] },
  '6': { fields: [0] },
};

/** Why tinydns-data refuses the line `bytes[start..end)` (with or without its line feed), in plain words; undefined: it takes it. */
export function tinydnsRefusal(bytes: Buffer, start: number, end: number, patched: boolean): string | undefined {
  let to = end;
  // It drops these three at the end, and no carriage return.
  while (to > start && [0x20, 0x09, 0x0a].includes(bytes[to - 1] ?? 0)) to--;
  if (to === start) return undefined;
  const kind = String.fromCharCode(bytes[start] ?? 0);
  if (!(patched ? patchedKinds : plainKinds).includes(kind)) return unknownKind(kind);
  if (kind === ':') {
    const refused = refusedType(bytes, start + 1, to);
    if (refused !== undefined) return refused;
  }
  // No label above 63 bytes and no name above 255 fits into a line this short.
  return to - start < 63 || namesFit(bytes, start + 1, to, kind)
    ? undefined
    : 'a name is too long (63 bytes a label, 255 in all; RFC 1035 §2.3.4)';
}

function unknownKind(kind: string): string {
  if (kind === ' ' || kind === '\t') return 'a line must not begin with a blank';
  if (kind === '\r') return 'a line with nothing but a carriage return';
  if (kind === '3' || kind === '6') return `${kind} lines need the IPv6 patch`;
  return 'the first character names no kind of line';
}

function refusedType(bytes: Buffer, start: number, end: number): string | undefined {
  const [, type] = fields(bytes, start, end, 2);
  const digits = /^\d*/.exec(type === undefined ? '' : bytes.toString('latin1', type.start, type.end))?.[0] ?? '';
  // The last 16 digits have all that the low 16 bits depend on: 10^16 is a multiple of 2^16.
  const number = Number(BigInt(digits.slice(-16)) & 65_535n);
  const name = prohibitedTypes.get(number);
  return name === undefined ? undefined : `a generic record must not have the type ${name}`;
}

interface Field {
  readonly start: number;
  readonly end: number;
}

function fields(bytes: Buffer, start: number, end: number, most: number): Field[] {
  const found: Field[] = [];
  for (let from = start; from <= end && found.length < most; ) {
    let to = from;
    while (to < end && bytes[to] !== colon) to++;
    found.push({ start: from, end: to });
    from = to + 1;
  }
  return found;
}

function namesFit(bytes: Buffer, start: number, end: number, kind: string): boolean {
  const names = namesOf[kind];
  if (names === undefined) return true;
  const found = fields(bytes, start, end, 3);
  const text = (index: number): Buffer => bytes.subarray(found[index]?.start ?? 0, found[index]?.end ?? 0);
  if (!names.fields.every((index) => fitsName(text(index)))) return false;
  if (names.suffix === undefined) return true;
  const server = text(2);
  return fitsName(server.includes(dot) ? server : Buffer.concat([server, Buffer.from(names.suffix), text(0)]));
}

/** dns_domain_fromdot: labels of at most 63 bytes, 255 with their lengths; empty labels vanish, `\ooo` is one byte. */
function fitsName(text: Buffer): boolean {
  let label = 0;
  let name = 0;
  for (let at = 0; at < text.length; ) {
    const byte = text[at++];
    if (byte === dot) {
      if (label > 0) name += label + 1;
      label = 0;
      if (name > 255) return false;
      continue;
    }
    if (byte === backslash) {
      if (at === text.length) break;
      const octal = /^[0-7]{1,3}/.exec(text.toString('latin1', at, at + 3));
      at += octal?.[0].length ?? 1;
    }
    if (++label > 63) return false;
  }
  if (label > 0) name += label + 1;
  return name + 1 <= 255;
}
