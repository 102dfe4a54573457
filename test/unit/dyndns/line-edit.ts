/** The edit of a zone written a second way, slow and by lines of text with regular expressions, to compare with. */
import { type Address, addressOf, inetAton, octalOf, tinydnsQuad } from '../../../src/dyndns/address.ts';
import { keyIdOf } from '../../../src/dyndns/keys.ts';
import { formatTimestamp } from '../../../src/dyndns/timestamp.ts';

const ws = '[ \\t\\n\\v\\f\\r]';
const header = new RegExp(`^(${ws}*#${ws}*dynamic:${ws}*)(\\d+(?:\\.\\d+)?)((?:${ws}[\\s\\S]*)?)$`);
const record = new RegExp(`^(${ws}*)([+63])([^:]*):([^:]*?)(${ws}*)((?::[\\s\\S]*)?)$`);
const generic = /^([ \t\n\v\f\r]*:[^:]*:0*28:)((?:\\[0-7]{1,3}|[^:\\])*?)([ \t\n\v\f\r]*|:[\s\S]*)$/;

interface Line {
  text: string;
  /** What the line becomes, where an update of this family reaches it. */
  changed?: string;
}

/** What is wrong with a record of the family, or the changed line, or undefined. Zones of the tests hold no other escapes. */
function changeOf(text: string, address: Address): { broken?: true; changed?: string } {
  const aaaa = generic.exec(text);
  if (aaaa !== null) {
    const [, start = '', data = '', end = ''] = aaaa;
    const bytes = data.match(/\\[0-7]{1,3}|[\s\S]/g) ?? [];
    if (bytes.length !== 16) return { broken: true };
    const same = octalOf(String(address.value)) === data;
    return address.family === 6 && !same ? { changed: `${start}${octalOf(String(address.value))}${end}` } : {};
  }
  if (new RegExp(`^${ws}*:[^:]*:0*28${ws}*$`).test(text)) return { broken: true };
  if (new RegExp(`^${ws}*[+63][^:]*$`).test(text)) return { broken: true };
  const match = record.exec(text);
  if (match === null) return {};
  const [, lead = '', kind = '', name = '', old = '', blanks = '', rest = ''] = match;
  if (kind !== '+') {
    if (!/^[0-9a-fA-F]{32}$/.test(old)) return { broken: true };
    if (address.family !== 6 || old.toLowerCase() === address.value) return {};
  } else {
    const value = inetAton(old);
    if (value === undefined) return { broken: true };
    const published = tinydnsQuad(old) === value;
    if (address.family !== 4 || (addressOf(value).text === address.text && published)) return {};
  }
  const made = kind === '+' ? address.text : String(address.value);
  const quoted = old.replace(/[.\\]/g, '\\$&');
  const others = kind === '3' ? rest : rest.replace(new RegExp(`:${quoted}(?=${ws}|:|$)`, 'g'), `:${made}`);
  return { changed: `${lead}${kind}${name}:${made}${blanks}${others}` };
}

function keysOf(text: string): { ids: string[]; broken: boolean } {
  const words = (text.split('#')[0] ?? '').split(new RegExp(`${ws}+`)).filter((word) => word !== '');
  const sound = words.filter((word) => /^[A-Za-z0-9_-]{43}=?$/.test(word));
  return { ids: sound.map((word) => keyIdOf(Buffer.from(word, 'base64url'))), broken: sound.length < words.length };
}

/** The whole new text; the old one where nothing is written. Knows the kinds that need no asking for. */
export function editByLines(
  text: string,
  keyId: string,
  address: Address,
  timestamp: number,
  updateTimestamps: boolean,
  isNewer = (old: number): boolean => old < timestamp,
): string {
  const lines: Line[] = text.split('\n').map((line) => ({ text: line }));
  let changes = 0;
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at];
    const match = header.exec(head?.text ?? '');
    if (head === undefined || match === null) continue;
    const [, start = '', digits = '', rest = ''] = match;
    const own = keysOf(rest);
    let broken = own.broken;
    const changed: [Line, string][] = [];
    for (const line of lines.slice(at + 1)) {
      if (new RegExp(`^${ws}*(#|$)`).test(line.text)) break;
      const change = changeOf(line.text, address);
      if (change.broken) broken = true;
      if (change.changed !== undefined) changed.push([line, change.changed]);
    }
    if (broken || !own.ids.includes(keyId) || !isNewer(Number(digits))) continue;
    changes += changed.length;
    for (const [line, to] of changed) line.changed = to;
    const written = formatTimestamp(timestamp);
    if (Number(written) > Number(digits)) head.changed = `${start}${written}${rest}`;
  }
  if (changes === 0 && !updateTimestamps) return text;
  return lines.map((line) => line.changed ?? line.text).join('\n');
}
