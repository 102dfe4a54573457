/** What the censor forbids, and what follows from it for the packet filter and the middlebox of `isp` (pure). */
import { canonicalAddress, canonicalName, familyOf } from './address.ts';
import { labError } from './lab-error.ts';
import { defaultPoison, resolvers } from './plan.ts';
import type { Service } from './service.ts';
import type { CensorKind } from './vocabulary.ts';

export interface CensorOptions {
  /** Of `stall` and `cut`: bytes from the server that pass, counted on the wire (TLS handshake included); 16 KiB by default. */
  readonly after?: number;
  /** Of `throttle`: bytes a second from the server; 4 KiB by default. */
  readonly rate?: number;
  /** Of `dns`: what the forged answers say; a private address of each family by default. */
  readonly addresses?: readonly string[];
  /** Of `redirect`: where to; `http://blocked.example/` by default. */
  readonly location?: string;
}

/** A name, an address, all of IPv4 or IPv6, or everything. */
export type CensorTarget =
  | { readonly type: 'name' | 'address'; readonly value: string }
  | { readonly type: 'family'; readonly value: 'ipv4' | 'ipv6' };

export interface CensorRule extends CensorOptions {
  readonly target: CensorTarget;
  readonly kind: CensorKind;
}

/** A connection that the middlebox takes, and the rules to hold against it, the most specific first. */
export interface Diversion {
  readonly address: string;
  readonly port: 80 | 443;
  readonly rules: readonly MiddleboxRule[];
}

export interface MiddleboxRule {
  readonly kind: 'sni' | 'sni-drop' | 'hijack' | 'blockpage' | 'legal' | 'redirect' | 'stall' | 'cut' | 'throttle';
  /** Only connections whose server name or Host header says so; all when undefined. */
  readonly name: string | undefined;
  readonly after: number;
  readonly rate: number;
  readonly location: string;
}

/** Addresses, or that there is no such name. */
export type Forgery = readonly string[] | 'nxdomain';

export type FilterVerdict = 'drop' | 'rst' | 'icmp' | 'accept';

export interface CensorPlan {
  /** By address; `accept` exempts it from its family's verdict. */
  readonly verdicts: ReadonlyMap<string, FilterVerdict>;
  readonly families: Readonly<Record<'ipv4' | 'ipv6', FilterVerdict | undefined>>;
  readonly diversions: readonly Diversion[];
  /** Names with what forged answers say; no diversion of DNS when empty. */
  readonly poison: ReadonlyMap<string, Forgery>;
}

const filterKinds: ReadonlySet<CensorKind> = new Set(['drop', 'rst', 'icmp']);
const portsOf: Readonly<Record<MiddleboxRule['kind'], readonly (80 | 443)[]>> = {
  sni: [443],
  'sni-drop': [443],
  hijack: [80, 443],
  blockpage: [80],
  legal: [80],
  redirect: [80],
  stall: [80, 443],
  cut: [80, 443],
  throttle: [80, 443],
};

/** Reads a target as people write it. Throws LabError `lab-target`. */
export function parseTarget(text: string): CensorTarget {
  const family = text.toLowerCase();
  if (family === 'ipv4' || family === 'ipv6') return { type: 'family', value: family };
  const address = canonicalAddress(text);
  if (address !== undefined) return { type: 'address', value: address };
  const name = canonicalName(text);
  if (name !== undefined) return { type: 'name', value: name };
  throw labError(
    'lab-target',
    `${JSON.stringify(text)} is neither a name nor an address`,
    'Name a service, an address, ipv4 or ipv6.',
  );
}

/** A rule with checked options. Throws LabError `lab-target` when kind and target do not go together. */
export function censorRule(target: CensorTarget, kind: CensorKind, options: CensorOptions = {}): CensorRule {
  if ((kind === 'dns' || kind === 'nxdomain') && target.type !== 'name') {
    throw labError('lab-target', `dns answers are forged for names, not for ${target.value}`, 'Name a service.');
  }
  const { after, rate } = options;
  if (after !== undefined && (!Number.isSafeInteger(after) || after < 0)) {
    throw labError('lab-target', `stall counts bytes, not ${after}`);
  }
  if (rate !== undefined && (!Number.isSafeInteger(rate) || rate < 1)) {
    throw labError('lab-target', `throttle counts bytes a second, not ${rate}`);
  }
  // It goes into a response header.
  if (options.location !== undefined && !/^[\x21-\x7e]+$/.test(options.location)) {
    throw labError('lab-target', `${JSON.stringify(options.location)} is not a URL`);
  }
  const addresses = options.addresses?.map((text) => {
    const address = canonicalAddress(text);
    if (address === undefined) throw labError('lab-target', `${JSON.stringify(text)} is not an address`);
    return address;
  });
  return { ...options, ...(addresses === undefined ? {} : { addresses }), target, kind };
}

export const targetKey = ({ type, value }: CensorTarget): string => `${type} ${value}`;

/** What all rules together come to. For one address a rule for it goes before one for a name there, that before one for its family. */
export function planCensor(rules: readonly CensorRule[], services: readonly Service[]): CensorPlan {
  const active = rules.filter((rule) => rule.kind !== 'none');
  const byTarget = new Map(active.map((rule) => [targetKey(rule.target), rule]));
  const familyRule = (family: 'ipv4' | 'ipv6'): CensorRule | undefined => byTarget.get(`family ${family}`);
  const families = { ipv4: filterVerdict(familyRule('ipv4')), ipv6: filterVerdict(familyRule('ipv6')) };

  const namesAt = new Map<string, string[]>();
  for (const service of services) {
    for (const address of service.addresses) namesAt.set(address, [...(namesAt.get(address) ?? []), service.name]);
  }
  for (const { target } of active)
    if (target.type === 'address' && !namesAt.has(target.value)) namesAt.set(target.value, []);

  const verdicts = new Map<string, FilterVerdict>();
  const diversions: Diversion[] = [];
  for (const [address, names] of namesAt) {
    const family = familyOf(address) === 4 ? 'ipv4' : 'ipv6';
    const candidates = [
      byTarget.get(`address ${address}`),
      ...names.map((name) => byTarget.get(`name ${name}`)),
      familyRule(family),
    ].filter((rule) => rule !== undefined && rule.kind !== 'dns' && rule.kind !== 'nxdomain') as CensorRule[];
    const filter = candidates.findIndex((rule) => filterKinds.has(rule.kind));
    const inspecting = candidates.slice(0, filter < 0 ? undefined : filter).flatMap(middleboxRule);
    const first = candidates[0];
    // A packet filter sees no names: it takes the whole address, unless a more specific rule wants to look inside.
    if (inspecting.length > 0) {
      if (families[family] !== undefined) verdicts.set(address, 'accept');
      for (const port of [80, 443] as const) {
        const here = inspecting.filter(({ kind }) => portsOf[kind].includes(port));
        if (here.length > 0) diversions.push({ address, port, rules: here });
      }
    } else if (first !== undefined && first.target.type !== 'family') {
      const verdict = filterVerdict(first);
      if (verdict !== undefined) verdicts.set(address, verdict);
    }
  }
  const poison = new Map<string, Forgery>();
  for (const { kind, target, addresses } of active) {
    if (kind === 'dns') poison.set(target.value, addresses ?? defaultPoison);
    if (kind === 'nxdomain') poison.set(target.value, kind);
  }
  return { verdicts, families, diversions, poison };
}

function filterVerdict(rule: CensorRule | undefined): FilterVerdict | undefined {
  return rule?.kind === 'drop' || rule?.kind === 'rst' || rule?.kind === 'icmp' ? rule.kind : undefined;
}

function middleboxRule(rule: CensorRule): MiddleboxRule[] {
  const { kind, target } = rule;
  if (!(kind in portsOf)) return [];
  return [
    {
      kind: kind as MiddleboxRule['kind'],
      name: target.type === 'name' ? target.value : undefined,
      after: rule.after ?? 16 * 1024,
      rate: rule.rate ?? 4 * 1024,
      location: rule.location ?? 'http://blocked.example/',
    },
  ];
}

/** Ports of the middlebox: `ADDRESS PORT` → own port, and one port for each way to ask DNS. */
export interface MiddleboxPorts {
  readonly diversions: Readonly<Record<string, number>>;
  readonly dns: Readonly<Record<'udp4' | 'udp6' | 'tcp4' | 'tcp6', number>>;
}

export const diversionKey = (address: string, port: number): string => `${address} ${port}`;

/** The plan as one nft transaction upon the table that `rulesets.ts` makes. */
export function censorScript(plan: CensorPlan, ports: MiddleboxPorts): string {
  const jump: Readonly<Record<FilterVerdict, string>> = {
    drop: 'drop',
    rst: 'goto with-rst',
    icmp: 'goto with-icmp',
    accept: 'accept',
  };
  const lines: string[] = [];
  for (const family of [4, 6] as const) {
    const elements = [...plan.verdicts]
      .filter(([address]) => familyOf(address) === family)
      .map(([address, verdict]) => `${address} : ${jump[verdict]}`);
    lines.push(...refill(`verdict${family}`, elements));
    lines.push(`flush chain inet lab family${family}`);
    const verdict = plan.families[`ipv${family}`];
    if (verdict !== undefined) lines.push(`add rule inet lab family${family} ${jump[verdict]}`);

    const tcp: string[] = [];
    for (const { address, port } of plan.diversions) {
      const own = ports.diversions[diversionKey(address, port)];
      if (own === undefined) throw new TypeError(`the middlebox has no port for ${address} ${port}`);
      if (familyOf(address) === family) tcp.push(`${address} . ${port} : ${own}`);
    }
    const udp: string[] = [];
    if (plan.poison.size > 0) {
      for (const address of resolvers) {
        if (familyOf(address) !== family) continue;
        tcp.push(`${address} . 53 : ${ports.dns[`tcp${family}`]}`);
        udp.push(`${address} . 53 : ${ports.dns[`udp${family}`]}`);
      }
    }
    lines.push(...refill(`tcp${family}`, tcp), ...refill(`udp${family}`, udp));
  }
  return `${lines.join('\n')}\n`;
}

function refill(map: string, elements: readonly string[]): string[] {
  const flush = `flush map inet lab ${map}`;
  return elements.length === 0 ? [flush] : [flush, `add element inet lab ${map} { ${elements.join(', ')} }`];
}
