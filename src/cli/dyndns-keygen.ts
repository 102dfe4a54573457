/** `netsteward dyndns keygen`: a new key pair, the secret half for the client, the other half for the zone. */
import { randomBytes } from 'node:crypto';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { keyText, type SigningKey, signingKey } from '../dyndns/keys.ts';
import { writeKeyFile } from './dyndns-key-files.ts';
import { print } from './output.ts';

export interface KeygenFlags {
  /** A file for the secret key; printed where it is absent. */
  readonly output?: string;
}

/** Throws NetstewardError `key-file-unusable`. */
export function generateKey({ output }: KeygenFlags, random: (bytes: number) => Uint8Array = randomBytes): ExitCode {
  const key = newKey(random);
  const seed = keyText(key.seed);
  if (output !== undefined) writeKeyFile(output, `${seed}\n`);
  print(keyPairText(key, output === undefined ? seed : `in ${output}`));
  return exitCodes.ok;
}

/** None whose text begins with `-`, and would be taken for a flag on a command line: 1 of 32 is thrown away. */
export function newKey(random: (bytes: number) => Uint8Array): SigningKey {
  for (;;) {
    const key = signingKey(random(32));
    if (!keyText(key.seed).startsWith('-') && !key.verify.text.startsWith('-')) return key;
  }
}

function keyPairText({ verify }: SigningKey, seed: string): string {
  return `secret key (for the client alone):  ${seed}
verify key (for the zone file):     ${verify.text}
key id (in each packet and in logs): ${verify.id}
`;
}
