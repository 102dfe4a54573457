/** Which HTTP codes a host's check expects (pure). */
import type { CheckSpec } from './model.ts';

export type Expectation =
  /** Always fails; nothing is run. */
  | { readonly kind: 'never' }
  /** Always ok: that it resolves is enough. */
  | { readonly kind: 'always' }
  /** A check type that is not known: no verdict. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'http'; readonly scheme: 'http' | 'https'; readonly codes: ReadonlySet<number> };

const defaultCodes: ReadonlySet<number> = new Set([200, 301, 302]);

/** Codes of a result such as `200/503`, an empty item being -1; undefined where an item is no whole number. */
export function parseCodes(result: string): ReadonlySet<number> | undefined {
  if (result === '') return defaultCodes;
  const codes = new Set<number>();
  for (const item of result.split('/')) {
    if (!/^[+-]?\d{0,9}$/.test(item) || item === '+' || item === '-') return undefined;
    codes.add(item === '' ? -1 : Number(item));
  }
  return codes;
}

export function expectationOf(check: CheckSpec): Expectation {
  const { type } = check;
  if (type !== 'https' && type !== 'http' && type !== 'dns') return { kind: 'unknown' };
  if (check.result === 'na') return { kind: 'never' };
  if (type === 'dns') return { kind: 'always' };
  const codes = parseCodes(check.result);
  return codes === undefined ? { kind: 'unknown' } : { kind: 'http', scheme: type, codes };
}

/** `200`, `200 or 503`, `200, 301 or 302`. */
export function describeCodes(codes: ReadonlySet<number>): string {
  const all = [...codes].map(String);
  const last = all.pop() ?? '';
  return all.length === 0 ? last : `${all.join(', ')} or ${last}`;
}
