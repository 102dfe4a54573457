/** What one key may do: which names, from which addresses, how often (pure). */
import { Address4, Address6 } from 'ip-address';
import type { Problem } from '../core/diagnostic.ts';
import type { Address } from './address.ts';
import type { LastAccepted } from './replay.ts';

export interface KeyPolicy {
  readonly allowsName: (name: string) => boolean;
  readonly allowsSource: (address: Address) => boolean;
  /** Seconds between two changes of a family's address; 0: none. */
  readonly minimumInterval: number;
}

/** As a person writes it in `[[dyndns.key]]`. */
export interface KeyPolicySpec {
  /** `a.net` for that name, `*.a.net` for all below it and not itself, `*` for all. Default: all. */
  readonly names?: readonly string[];
  /** `192.0.2.0/24`, `2001:db8::/32`, single addresses; `public`; `any`. Default: `["public"]`. */
  readonly sources?: readonly string[];
  /** Seconds, default 0. */
  readonly minimumInterval?: number;
}

/** As the original: any name in the key's blocks, from anywhere, at any rate. */
export const openPolicy: KeyPolicy = {
  allowsName: () => true,
  allowsSource: () => true,
  minimumInterval: 0,
};

/** What holds for a key that the config says nothing of. */
export const publicPolicy: KeyPolicy = { ...openPolicy, allowsSource: isPublic };

/** Every problem is put into `problems`, with its path inside the table. */
export function makePolicy(spec: KeyPolicySpec, problems: Problem[]): KeyPolicy {
  const names = (spec.names ?? ['*']).map((text, index) => nameRule(text, ['names', index], problems));
  const sources = (spec.sources ?? ['public']).map((text, index) => sourceRule(text, ['sources', index], problems));
  const { minimumInterval = 0 } = spec;
  if (!(Number.isFinite(minimumInterval) && minimumInterval >= 0)) {
    problems.push({ path: ['minimum_interval'], message: 'must be a time that is not negative' });
  }
  return {
    allowsName: (name) => {
      const plain = plainName(name);
      return names.some((allows) => allows(plain));
    },
    allowsSource: (address) => sources.some((allows) => allows(address)),
    minimumInterval,
  };
}

/** A change so soon after the last one of this family is refused. A clock that went back refuses nothing. */
export function isTooSoon(policy: KeyPolicy, last: LastAccepted | undefined, now: number): boolean {
  if (policy.minimumInterval === 0 || last?.written === undefined) return false;
  const since = now - last.written.at;
  return since >= 0 && since < policy.minimumInterval;
}

/** Names compare without case (RFC 4343), with or without the final dot, whatever is written as an octal escape. */
function plainName(name: string): string {
  const decoded = name.replace(/\\([0-7]{1,3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8) & 255),
  );
  return decoded.toLowerCase().replace(/\.+$/, '');
}

function nameRule(text: string, path: Problem['path'], problems: Problem[]): (name: string) => boolean {
  const name = plainName(text);
  if (name === '*') return () => true;
  if (!/^(?:\*\.)?[^*\s.][^*\s]*$/.test(name) || name.includes('..')) {
    problems.push({ path, message: 'must be a name such as "a.net", or "*.a.net" for all names below it' });
    return () => false;
  }
  if (!name.startsWith('*.')) return (candidate) => candidate === name;
  const suffix = name.slice(1);
  return (candidate) => candidate.length > suffix.length && candidate.endsWith(suffix);
}

function sourceRule(text: string, path: Problem['path'], problems: Problem[]): (address: Address) => boolean {
  if (text === 'any') return () => true;
  if (text === 'public') return isPublic;
  if (Address4.isValid(text)) {
    const prefix = new Address4(text);
    return ({ family, text: source }) => family === 4 && new Address4(source).isInSubnet(prefix);
  }
  if (Address6.isValid(text) && !text.includes('%')) {
    const prefix = new Address6(text);
    return ({ family, text: source }) => family === 6 && new Address6(source).isInSubnet(prefix);
  }
  problems.push({ path, message: 'must be an address, a prefix such as "192.0.2.0/24", "public" or "any"' });
  return () => false;
}

/** Globally reachable by the IANA special-purpose registries. */
function isPublic({ family, text }: Address): boolean {
  return family === 4 ? new Address4(text).isGlobal() : new Address6(text).isGlobal();
}
