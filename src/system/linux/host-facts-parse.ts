/** The JSON of `nft list tables`, `nft -j list sets`, `ip -j rule` and `ip -j route` as facts (pure). */
import type { RouteFact, RuleFact, SetFact, TableFact } from '../../core/host-facts.ts';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objects = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** Of `nft list tables`: lines such as `table inet filter`. */
export function parseTables(listing: string): readonly TableFact[] {
  return [...listing.matchAll(/^table (\S+) (\S+)$/gm)].map(([, family = '', name = '']) => ({ family, name }));
}

/** Of `nft -j list sets` (libnftables-json(5)). */
export function parseSets(json: unknown): readonly SetFact[] {
  return (isObject(json) ? objects(json.nftables) : []).flatMap((item) => {
    if (!isObject(item.set)) return [];
    const { family, table, name, type, flags } = item.set;
    return [
      {
        family: text(family),
        table: text(table),
        name: text(name),
        type: Array.isArray(type) ? strings(type).join(' . ') : text(type),
        flags: strings(flags),
      },
    ];
  });
}

const wholeMask = 0xffffffff;

export function parseRules(json: unknown): readonly RuleFact[] {
  return objects(json).map((rule) => ({
    priority: Number(rule.priority ?? 0),
    mark: rule.fwmark === undefined ? undefined : Number(rule.fwmark),
    mask: rule.fwmask === undefined ? wholeMask : Number(rule.fwmask),
    not: 'not' in rule,
    ...sourceOf(rule),
    table: rule.table === undefined ? undefined : text(rule.table),
  }));
}

/** `all`, an address, or a prefix whose length stands beside it. */
function sourceOf({ src, srclen }: Json): Pick<RuleFact, 'source'> {
  const address = text(src);
  if (address === '' || address === 'all') return {};
  return { source: { address, length: typeof srclen === 'number' ? srclen : address.includes(':') ? 128 : 32 } };
}

export function parseRoutes(json: unknown): readonly RouteFact[] {
  return objects(json).map((route) => ({
    table: text(route.table) || 'main',
    destination: text(route.dst),
    type: text(route.type) || 'unicast',
    device: route.dev === undefined ? undefined : text(route.dev),
    flags: strings(route.flags),
  }));
}
