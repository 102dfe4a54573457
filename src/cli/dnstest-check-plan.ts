/** From the words of a command line to the checks that it asks for (pure): for one check and for a watch alike. */
import { NetstewardError } from '../core/errors.ts';
import { filteredRange } from '../dnstest/filtered-address.ts';
import { NameHash } from '../dnstest/name-hash.ts';
import { fillName, readNameTemplate } from '../dnstest/name-template.ts';
import { type ProberOptions, questionTimeout } from '../dnstest/prober.ts';
import { type ResolverChoice, readResolver, systemChoice } from '../dnstest/transport-address.ts';
import type { CheckOptions } from './dnstest-check.ts';

export interface CheckPlan {
  /** One for each resolver, in the order of the command line. */
  readonly probers: readonly ProberOptions[];
  /** For people: what will work badly. */
  readonly warnings: readonly string[];
}

/** Throws NetstewardError `usage` and `dnstest-key`. */
export function planChecks(options: CheckOptions): CheckPlan {
  const { name, timeout, slow, any, mixedCase } = options;
  const read = readNameTemplate(name);
  if (read.problem !== undefined) throw usage(read.problem);
  const { template } = read;
  const family = familyOf(options.query ?? 'A');
  const hash = new NameHash(options.hashKey ?? '');
  const oldHashes = (options.oldKey ?? []).map((key) => new NameHash(key));
  const probers = distinctResolvers(options.resolver ?? []).map(
    (resolver): ProberOptions => ({
      resolver,
      template,
      family,
      hash,
      oldHashes,
      any: any === true,
      timeout: timeout ?? questionTimeout(resolver),
      slow,
      mixedCase: mixedCase === true,
      control: options.control === undefined ? undefined : controlOf(options.control),
    }),
  );
  return { probers, warnings: template.places > 0 ? [] : fixedNameWarnings(fillName(template, ''), family, hash) };
}

function familyOf(query: string): 4 | 6 {
  const type = query.toUpperCase();
  if (type !== 'A' && type !== 'AAAA') throw usage(`--query: "${query}" is neither A nor AAAA`);
  return type === 'A' ? 4 : 6;
}

function distinctResolvers(texts: readonly string[]): readonly ResolverChoice[] {
  if (texts.length === 0) return [systemChoice];
  const choices = texts.map((text) => choiceOf('--resolver', text));
  const twice = choices.find(({ label }, index) => choices.findIndex((other) => other.label === label) < index);
  if (twice !== undefined) throw usage(`--resolver: ${twice.label} is there twice`);
  return choices;
}

function choiceOf(flag: string, text: string): ResolverChoice {
  const read = readResolver(text);
  if (read.problem !== undefined) throw usage(`${flag}: ${read.problem}`);
  return read.choice;
}

function controlOf(text: string): ProberOptions['control'] {
  const choice = choiceOf('--control', text);
  if (choice.kind === 'system') throw usage('--control: name the address of the server that has the test zone');
  return choice.server;
}

function fixedNameWarnings(name: string, family: 4 | 6, hash: NameHash): readonly string[] {
  const address = hash.address(name, family);
  const range = filteredRange(address, family);
  if (range === undefined) return [];
  return [
    `${name} has the address ${address}, in ${range}: resolvers that filter against rebinding drop it; take another name, or one with @, which never has such an address`,
  ];
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message, { remedy: 'See netsteward dnstest check --help.' });
}
