/** What `[nbrpc]` says of the second look at a failing service: a second resolver, and a name that nobody blocks. */
import { isIP } from 'node:net';
import * as v from 'valibot';
import type { DnsServer } from '../system/dns-client-ports.ts';
import { canonicalAddress } from './address.ts';
import { hostNameProblem } from './host-name.ts';

/** A resolver that is asked when a name or an address fails, and never else. */
export interface SecondResolver extends DnsServer {
  /** As people write it. */
  readonly label: string;
}

const forms = 'an address such as "9.9.9.9" or "[2620:fe::fe]:53", or a URL such as "https://dns.quad9.net/dns-query"';

/** Undefined for what is neither. */
export function parseSecondResolver(text: string): SecondResolver | undefined {
  return /^https:/i.test(text) ? overHttps(text) : overUdp(text);
}

/** RFC 8484. Of a URL with a host name the system finds the address; a lie there fails with its certificate. */
function overHttps(text: string): SecondResolver | undefined {
  if (!URL.canParse(text) || !/^[\x21-\x7e]+$/.test(text)) return undefined;
  const { hostname, port, pathname, search, hash, username, password } = new URL(text);
  if (hash !== '' || username !== '' || password !== '') return undefined;
  const bare = hostname.replace(/^\[|\]$/g, '');
  const address = canonicalAddress(bare);
  if (address === undefined && hostNameProblem(bare) !== undefined) return undefined;
  return {
    label: text,
    protocol: 'https',
    address,
    name: address === undefined ? bare : undefined,
    port: port === '' ? 443 : Number(port),
    path: pathname === '/' ? `/dns-query${search}` : pathname + search,
  };
}

function overUdp(text: string): SecondResolver | undefined {
  const bare = isIP(text) === 0 ? /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(text) : undefined;
  const address = canonicalAddress(bare === undefined ? text : (bare?.[1] ?? bare?.[2] ?? ''));
  const port = Number(bare?.[3] ?? '53');
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  return { label: text, protocol: 'udp', address, name: undefined, port, path: '' };
}

const secondResolver = v.pipe(
  v.string(`must be ${forms}`),
  v.rawTransform<string, SecondResolver>(({ dataset, addIssue, NEVER }) => {
    const server = parseSecondResolver(dataset.value);
    if (server !== undefined) return server;
    addIssue({ message: `must be ${forms}` });
    return NEVER;
  }),
);

/** `second` of `[nbrpc.resolver]`: the first that answers counts. */
export const secondResolvers = v.optional(
  v.pipe(
    v.array(secondResolver, 'must be a list of resolvers; [] for none'),
    v.maxLength(4, 'must name at most 4 resolvers'),
  ),
  [],
);

/** `neutral_name` of `[nbrpc.check]`. */
export const neutralName = v.optional(
  v.pipe(
    v.string('must be a host name'),
    v.check((name) => isIP(name) === 0 && hostNameProblem(name) === undefined, 'must be a host name'),
  ),
  'example.com',
);
