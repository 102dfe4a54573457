/** What a parsed `[dnstest.serve]` asks for: where to serve, and who answers (pure). */
import { isIP } from 'node:net';
import type { DnsBinding } from '../system/dns-listen-ports.ts';
import { Answerer } from './answer.ts';
import { NameHash } from './name-hash.ts';
import { bindingOf } from './serve-binding.ts';
import type { ServeConfig } from './serve-config.ts';
import { servedZones } from './serve-zones.ts';

/** What parse() has taken. */
export function bindingsOf(config: ServeConfig): readonly DnsBinding[] {
  return config.bind.flatMap((each) => readBind(each) ?? []);
}

/** `key`: where the table names none of its own. */
export function answererFor(config: ServeConfig, key: string): Answerer {
  return answererOf(config.hash_key ?? key, config, servedZones(config.zones, config.ns, bindingsOf(config)));
}

export function answererOf(key: string, { cache_ttl }: ServeConfig, zones: ReturnType<typeof servedZones>): Answerer {
  return new Answerer({ hash: new NameHash(key), ttl: Math.floor(cache_ttl / 1000), zones });
}

export function readBind(typed: string): DnsBinding | undefined {
  try {
    const { host, port } = bindingOf(typed);
    const address = host === '' ? '::' : host;
    return isIP(address) === 0 || port === 0 ? undefined : { address, port };
  } catch {
    return undefined;
  }
}
