/** The addresses among the records of a DNS answer that dns-packet has read (pure). */
import { isIP } from 'node:net';
import type { Answer } from 'dns-packet';

/**
 * In the records' order and as dns-packet writes them, with whose name each is. Undefined: a record is cut off. dns-packet reads on
 * past the end of a message, and makes "undefined.undefined.undefined.undefined" of an A record that is not there.
 */
export function addressRecords(
  answers: readonly Answer[],
  type: 'A' | 'AAAA',
): readonly { readonly name: string; readonly address: string }[] | undefined {
  const found = answers.flatMap((answer) =>
    answer.type === type && (answer.class ?? 'IN') === 'IN' ? [{ name: answer.name, address: answer.data }] : [],
  );
  return found.every(({ address }) => isIP(address) === (type === 'A' ? 4 : 6)) ? found : undefined;
}
