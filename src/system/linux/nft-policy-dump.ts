/** The policy dump that nbrpc sends: lines `ok|na HOST ADDR TYPE`, then an empty line (pure). */
import { NetstewardError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { addressTypeOf, canonicalAddress } from '../nft-address.ts';
import { type AddressType, identifierProblem } from '../nft-script.ts';

export type PolicyVerdict = 'ok' | 'na';

/** Names of the sets for each verdict; undefined where nothing is to be done. */
export type VerdictSets = { readonly [verdict in PolicyVerdict]: string | undefined };

export interface PolicyDump {
  readonly verdicts: ReadonlyMap<string, PolicyVerdict>;
  /** Addresses for which a later line said the opposite, in words. */
  readonly conflicts: readonly string[];
}

/** `ok-set:na-set`, `ok-set`, `:na-set` or nothing. Throws NetstewardError `set-names-invalid`. */
export function parseVerdictSets(text: string): VerdictSets {
  const [ok = '', na = '', ...more] = text.split(':');
  const problem =
    more.length > 0 ? 'has more than one colon' : [ok, na].map((name) => name && identifierProblem(name)).find(Boolean);
  if (problem) throw new NetstewardError('set-names-invalid', `"${printable(text)}" is not OK:NA: ${problem}`);
  return { ok: ok === '' ? undefined : ok, na: na === '' ? undefined : na };
}

/** `text`: all before the empty line. Throws NetstewardError `policy-dump-invalid` for any line that is not as it must be. */
export function parsePolicyDump(text: string): PolicyDump {
  const verdicts = new Map<string, PolicyVerdict>();
  const conflicts: string[] = [];
  if (text === '') return { verdicts, conflicts };
  for (const [index, line] of text.split('\n').entries()) {
    const [verdict, host, address, type, ...more] = line.trim().split(/[ \t]+/);
    const canonical = address === undefined ? undefined : canonicalAddress(address);
    if ((verdict !== 'ok' && verdict !== 'na') || canonical === undefined || type === undefined || more.length > 0) {
      const shown = printable(line.slice(0, 200));
      throw new NetstewardError('policy-dump-invalid', `line ${index + 1} is not "ok|na HOST ADDR TYPE": ${shown}`);
    }
    const before = verdicts.get(canonical);
    if (before === undefined) verdicts.set(canonical, verdict);
    else if (before !== verdict) {
      conflicts.push(`${canonical} stays ${before}, though ${printable((host ?? '').slice(0, 253))} says ${verdict}`);
    }
  }
  return { verdicts, conflicts };
}

/** Contents of every named set; addresses without a set for their verdict and family are left out. */
export function setsOfDump(
  dump: PolicyDump,
  sets4: VerdictSets,
  sets6: VerdictSets,
): ReadonlyMap<string, ReadonlySet<string>> {
  const byType: Record<AddressType, VerdictSets> = { ipv4_addr: sets4, ipv6_addr: sets6 };
  const names = [sets4.ok, sets4.na, sets6.ok, sets6.na].filter((name) => name !== undefined);
  const contents = new Map(names.map((name) => [name, new Set<string>()]));
  for (const [address, verdict] of dump.verdicts) {
    const name = byType[addressTypeOf(address)][verdict];
    if (name !== undefined) contents.get(name)?.add(address);
  }
  return contents;
}
