/** The policies of all keys of a configuration, by the key's id (pure). */
import type { Problem } from '../core/diagnostic.ts';
import type { DyndnsConfig } from './config.ts';
import { readVerifyKey } from './keys.ts';
import { type KeyPolicy, makePolicy, publicPolicy } from './policy.ts';

/** What each key may do; one that is not in the configuration: any name, from public addresses. */
export function policiesOf(config: DyndnsConfig, problems: Problem[] = []): (keyId: string) => KeyPolicy {
  const policies = new Map(
    config.key.map((one, index) => {
      const found: Problem[] = [];
      const { names, sources, minimum_interval } = one;
      const policy = makePolicy({ names, sources, minimumInterval: minimum_interval / 1000 }, found);
      for (const problem of found) problems.push({ ...problem, path: ['key', index, ...problem.path] });
      return [idOf(one.key), policy] as const;
    }),
  );
  return (keyId) => policies.get(keyId) ?? publicPolicy;
}

/** Of what is no verify key, the text. */
export function idOf(text: string): string {
  const read = readVerifyKey(text);
  return read.problem === undefined ? read.value.id : text;
}
