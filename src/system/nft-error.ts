/** What nft or the kernel answered when it refused, sorted by what the caller can do about it. */
import { type ErrorDetails, NetstewardError } from '../core/errors.ts';
import { printableLines } from '../core/printable.ts';

/**
 * `too-long`: more than one netlink message can carry (EMSGSIZE): split it. `missing`: some object does not exist (ENOENT).
 * `not-permitted`: no CAP_NET_ADMIN, or a table that another socket owns (EPERM). `unsupported`: the kernel cannot do it.
 * `syntax`: this nft does not know the words. `died`: the nft process ended.
 */
export type NftRefusal =
  | 'too-long'
  | 'missing'
  | 'exists'
  | 'not-permitted'
  | 'unsupported'
  | 'syntax'
  | 'died'
  | 'other';

/** What nft's caret points at: characters of the script's `line`, from the first to past the last. */
export interface NftMark {
  readonly from: number;
  readonly to: number;
}

/** Code `nft-refused`, or `nft-message-too-long`, or `nft-died`; the message is nft's own. */
export class NftError extends NetstewardError {
  override name = 'NftError';
  readonly refusal: NftRefusal;
  /** Undefined where nft complains of no word of the script: of a file that it includes, of the whole. */
  readonly mark: NftMark | undefined;

  constructor(refusal: NftRefusal, message: string, details: ErrorDetails = {}, mark?: NftMark) {
    super(codes[refusal] ?? 'nft-refused', message, details);
    this.refusal = refusal;
    this.mark = mark;
  }
}

const codes: Partial<Record<NftRefusal, string>> = { 'too-long': 'nft-message-too-long', died: 'nft-died' };

// strerror(3) texts, which libnftables appends to what it could not do.
const signs: readonly (readonly [NftRefusal, RegExp])[] = [
  ['too-long', /Message too long/],
  ['not-permitted', /Operation not permitted|Permission denied|must be root/],
  ['syntax', /syntax error/],
  ['missing', /No such file or directory/],
  ['exists', /File exists/],
  ['unsupported', /Operation not supported|Invalid argument|Protocol not supported/],
];

/** From what nft wrote to its error output. It quotes the command, which may hold 100 000 addresses: lines and length are cut. */
export function nftErrorFrom(output: string): NftError {
  const lines = output.trim().split('\n').slice(0, 12);
  const text = printableLines(lines.map((line) => (line.length > 200 ? `${line.slice(0, 200)}…` : line)).join('\n'));
  // The kernel says ENFILE when a set has as many elements as its `size` allows (net/netfilter/nf_tables_api.c).
  if (/Too many open files in system/.test(output)) {
    return new NftError('other', 'the set is full: more addresses than its "size" allows', {
      remedy: 'Give the set a larger size in the ruleset, or none.',
    });
  }
  const refusal = signs.find(([, sign]) => sign.test(output))?.[0] ?? 'other';
  return new NftError(refusal, text === '' ? 'nft failed without a message' : text, {}, markOf(output));
}

/** Below its message nft shows the line, and below that the carets; of a file's line it says file and place before. */
function markOf(output: string): NftMark | undefined {
  const [first = '', , below = ''] = output.trimStart().split('\n', 3);
  const carets = /^ *([\^~][\^~ -]*)$/.exec(below)?.[1]?.trimEnd();
  if (!first.startsWith('Error: ') || carets === undefined) return undefined;
  const from = below.indexOf(carets);
  return { from, to: from + carets.length };
}

export function refusalOf(error: unknown): NftRefusal | undefined {
  return error instanceof NftError ? error.refusal : undefined;
}
