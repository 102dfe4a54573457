/** Hosts whose verdict needs no check over the network: `=na`, `dns`, and check types that are not known (pure). */
import type { Checked } from './decide.ts';
import { type CheckResult, type CheckSpec, type Tri, triOfAddress } from './model.ts';
import type { StateView } from './state.ts';

export function needsProbe({ type, result }: CheckSpec): boolean {
  return (type === 'https' || type === 'http') && result !== 'na';
}

/** Of a check that needs no probe, in the words of its list token. */
function known({ type, result }: CheckSpec): { readonly result: CheckResult; readonly tri: Tri } {
  if (!['https', 'http', 'dns'].includes(type)) return { result: { kind: 'none' }, tri: null };
  if (result === 'na') return { result: { kind: 'fail', reason: 'na' }, tri: false };
  return { result: { kind: 'ok' }, tri: true };
}

/**
 * The results of all hosts that need no probe, as far as they are news: of addresses that were never told yet, or by the
 * check that the host's list token had before. They cost nothing, so they wait for no time and no limit.
 */
export function resultsWithoutProbe(state: StateView): readonly Checked[] {
  const results: Checked[] = [];
  for (const { record, addresses } of state.hosts()) {
    const { name: host, check } = record;
    if (needsProbe(check)) continue;
    const { result, tri } = known(check);
    for (const { address, checked, state } of addresses.values()) {
      if (checked === 0 || triOfAddress(state) !== tri) results.push({ host, address, check, result });
    }
  }
  return results;
}
