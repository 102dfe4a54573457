/** The policy part of a list token, `pick.6` or `LD4`: route and flags (pure). */
import type { Family } from './model.ts';

export const routes = ['af-any', 'af-all', 'af-pick', 'pick', 'noroute'] as const;
export type Route = (typeof routes)[number];

export interface Policy {
  readonly route: Route;
  /** Flag `1`: only addresses of the newest DNS answer count. */
  readonly newestOnly: boolean;
  /** Flag `4` or `6`: only this family is resolved and exported. */
  readonly family: Family | null;
  /** Flag `L`: a zone gets only addresses of the newest DNS answer. */
  readonly zoneNewest: boolean;
  /** Flag `D` (true) or `N` (false): a zone gets only addresses that work, or that fail, directly. */
  readonly zoneTri: boolean | null;
  /** Flag `R`: a zone gets them in random order. */
  readonly zoneShuffle: boolean;
}

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly message: string };

const flagLetters = '46DNL1R';

/** Never of an empty text: that is the default policy, which the caller knows. */
export function parsePolicy(text: string): ParsedPolicy {
  const dot = text.indexOf('.');
  if (dot >= 0) return build(text.slice(0, dot), text.slice(dot + 1));
  if (text !== '' && onlyFlags(text)) return build('af-any', text);
  return build(text, '');
}

function onlyFlags(text: string): boolean {
  return /^[46DNL1R]*$/.test(text);
}

function build(routeText: string, flags: string): ParsedPolicy {
  const name = routeText.toLowerCase().replaceAll('_', '-');
  const route = routes.find((known) => known === name);
  if (route === undefined) {
    return { ok: false, message: `unknown policy ${JSON.stringify(routeText)}: one of ${routes.join(', ')}` };
  }
  if (!onlyFlags(flags)) {
    return { ok: false, message: `unknown policy flag in ${JSON.stringify(flags)}: any of ${flagLetters}` };
  }
  const has = (letter: string): boolean => flags.includes(letter);
  return {
    ok: true,
    policy: {
      route,
      newestOnly: has('1'),
      family: has('4') === has('6') ? null : has('4') ? 4 : 6,
      zoneNewest: has('L'),
      zoneTri: has('D') === has('N') ? null : has('D'),
      zoneShuffle: has('R'),
    },
  };
}

const parsed = new Map<string, Policy>();

/** The policy of a host whose text was validated when it was read; `fallback` for an empty text. */
export function policyOf(text: string, fallback: Policy): Policy {
  if (text === '') return fallback;
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const result = parsePolicy(text);
  if (!result.ok) return fallback;
  // The texts come from files: the memory of them stays bounded.
  if (parsed.size > 1000) parsed.clear();
  parsed.set(text, result.policy);
  return result.policy;
}
