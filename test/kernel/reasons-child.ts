/** Inside a host of the lab: resolves and checks hosts with the real adapters, looks a second time, and prints each cause. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.ts';
import { familyOf } from '../../src/nbrpc/address.ts';
import type { CheckSpec } from '../../src/nbrpc/model.ts';
import { causeOf, causeOfName } from '../../src/nbrpc/reason.ts';
import { parseSecondResolver } from '../../src/nbrpc/reason-config.ts';
import { CauseLook } from '../../src/nbrpc/reason-look.ts';
import { causeSentence } from '../../src/nbrpc/reason-text.ts';
import { resolveHost } from '../../src/nbrpc/resolve.ts';
import { SecondOpinion } from '../../src/nbrpc/second-resolver.ts';
import { LinuxDnsTransport } from '../../src/system/linux/dns-client.ts';
import { LinuxHttpProbe } from '../../src/system/linux/http-probe.ts';
import { openResolver } from '../../src/system/linux/resolver.ts';
import { TrustStore } from '../../src/system/linux/trust-store.ts';

export interface Order {
  readonly caFile: string;
  readonly resolvers: readonly string[];
  readonly second: readonly string[];
  /** Milliseconds, of a check. */
  readonly timeout: number;
  readonly hosts: readonly {
    readonly host: string;
    readonly scheme: 'http' | 'https';
    readonly family: 4 | 6;
    readonly elsewhere?: boolean;
  }[];
}

export interface Finding {
  readonly host: string;
  /** Before and after the second look: `kind code`. */
  readonly first: string;
  readonly second: string;
  readonly sentence: string;
}

const order = JSON.parse(readFileSync(0, 'utf8')) as Order;
const never = new AbortController().signal;
const clock = systemClock;
const trust = new TrustStore({ bundles: [], ca: readFileSync(order.caFile) }, clock);
const probe = new LinuxHttpProbe({ clock, trust });
const resolver = openResolver(
  clock,
  order.resolvers.map((address) => ({ address, port: 53 })),
);
const transport = new LinuxDnsTransport(clock, () => trust);
const opinions = order.second.flatMap((text) => {
  const server = parseSecondResolver(text);
  return server === undefined ? [] : [new SecondOpinion(server, { transport, id: () => randomInt(65_536) })];
});
const { timeout } = order;
/** Milliseconds; every server here answers at once, if the machine lets it. */
const resolveTimeout = 6000;
const settings = { timeout, resolveTimeout, bodyLimit: 65_536, neutralName: 'neutral.example' };
const look = new CauseLook({ probe, opinions }, settings);

async function find({ host, scheme, family, elsewhere }: Order['hosts'][number]): Promise<Finding> {
  const resolved = await resolveHost(resolver, host, null, { timeout: resolveTimeout, filter: true }, never);
  const address = resolved.addresses.find((each) => familyOf(each) === family);
  const codes = new Set([200]);
  const check: CheckSpec = { type: scheme, path: '/', result: '200' };
  const first =
    address === undefined
      ? causeOfName(resolved)
      : causeOf(await probe.probe({ scheme, host, address, path: '/', timeout, bodyLimit: 65_536 }, never), {
          host,
          codes,
        });
  const second =
    address === undefined
      ? await look.lookName(host, first, never)
      : await look.look({ host, address, check, cause: first, current: true, elsewhere }, never);
  const told = ({ kind, code }: typeof first): string => `${kind} ${code}`;
  return { host, first: told(first), second: told(second), sentence: causeSentence(second) };
}

process.stdout.write(JSON.stringify(await Promise.all(order.hosts.map(find))));
process.exit(0);
