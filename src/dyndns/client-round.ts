/** One round of a client: packets of one timestamp for each key, to every destination from every bind, as often as asked. */
import { type Clock, sleep } from '../core/clock.ts';
import { describeError, errnoOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { DatagramSender } from '../system/address-ports.ts';
import type { Resolver } from '../system/ports.ts';
import { type Family, readAddress } from './address.ts';
import type { Endpoint, Target } from './client-endpoints.ts';
import type { SigningKey } from './keys.ts';
import { encodePacket } from './packet.ts';

export interface RoundPlan {
  readonly targets: readonly Target[];
  readonly keys: readonly SigningKey[];
  /** Milliseconds between packets: one less than there are packets. */
  readonly waits: readonly number[];
  /** Whether any address of several will do, and not the first alone. */
  readonly anyAddress: boolean;
}

export interface ClientPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolver: Resolver;
  readonly sender: DatagramSender;
  /** A whole number from 0 up to but without `count`. */
  readonly choose: (count: number) => number;
  /** Names that were told to have several addresses: each is told once. */
  readonly told: Set<string>;
}

export interface RoundOutcome {
  /** Datagrams that the kernel took. */
  readonly sent: number;
  /** Pairs of destination and bind that got no packet at all, each with the last reason. */
  readonly failures: readonly { readonly target: string; readonly reason: string }[];
}

/** Milliseconds that a name may take. */
const patience = 10_000;

type Resolve = (host: string) => Promise<readonly string[] | string>;

/** Rejects with the signal's reason alone. A packet that could not be sent does not end the round. */
export async function sendRound(plan: RoundPlan, ports: ClientPorts, signal: AbortSignal): Promise<RoundOutcome> {
  const timestamp = ports.clock.now() / 1000;
  const packets = plan.keys.map((key) => ({ id: key.verify.id, bytes: encodePacket(key, timestamp) }));
  const sent = plan.targets.map(() => 0);
  const reasons: (string | undefined)[] = plan.targets.map(() => undefined);
  for (let turn = 0; turn <= plan.waits.length; turn++) {
    // Anew each time: where a name leads may change, or have an answer only now.
    const resolve = resolving(ports.resolver, signal);
    await Promise.all(
      plan.targets.map(async (target, index) => {
        const { count, reason } = await sendTo(target, packets, plan.anyAddress, resolve, ports);
        sent[index] = (sent[index] ?? 0) + count;
        reasons[index] = reason ?? reasons[index];
      }),
    );
    signal.throwIfAborted();
    const wait = plan.waits[turn];
    if (wait !== undefined) await sleep(ports.clock, wait, signal);
  }
  return {
    sent: sent.reduce((sum, count) => sum + count, 0),
    failures: plan.targets.flatMap((target, index) =>
      (sent[index] ?? 0) > 0 ? [] : [{ target: targetText(target), reason: reasons[index] ?? 'nothing was sent' }],
    ),
  };
}

/** The addresses of a host, or why there are none. Asks once however many pairs have the host. */
function resolving(resolver: Resolver, signal: AbortSignal): Resolve {
  const asked = new Map<string, Promise<readonly string[] | string>>();
  return (name) => {
    const before = asked.get(name);
    if (before !== undefined) return before;
    const asking = resolver
      .resolve({ name, timeout: patience }, signal)
      .then((outcome) => (outcome.ok ? outcome.addresses : `${name} does not resolve: ${outcome.detail}`));
    asked.set(name, asking);
    return asking;
  };
}

interface KeyedPacket {
  readonly id: string;
  readonly bytes: Uint8Array;
}

interface Sent {
  readonly count: number;
  readonly reason: string | undefined;
}

async function sendTo(
  target: Target,
  packets: readonly KeyedPacket[],
  anyAddress: boolean,
  resolve: Resolve,
  ports: ClientPorts,
): Promise<Sent> {
  const [to, from] = await Promise.all([
    addressesOf(target.destination, resolve),
    target.bind === undefined ? undefined : addressesOf(target.bind, resolve),
  ]);
  if (typeof to === 'string') return { count: 0, reason: to };
  if (typeof from === 'string') return { count: 0, reason: from };
  const choose = chooseOf(target, anyAddress, ports);
  let count = 0;
  let reason: string | undefined;
  let found = false;
  for (const family of target.families) {
    if (found && !target.each) break;
    const address = choose(to.get(family));
    const source = from === undefined ? undefined : from.get(family)?.[0];
    if (address === undefined || (from !== undefined && source === undefined)) continue;
    found = true;
    const { port } = target.destination;
    const bind = source === undefined ? {} : { from: { address: source, port: target.bind?.port ?? 0 } };
    for (const { id, bytes } of packets) {
      const place = { to: placeText(address, port), ...(source === undefined ? {} : { from: source }), key: id };
      try {
        await ports.sender.send({ bytes, family, address, port, ...bind });
        count += 1;
        ports.log.debug('packet-sent', place);
      } catch (error) {
        reason = sendFailure(error, place.to, source);
        ports.log.debug('packet-not-sent', { ...place, reason });
      }
    }
  }
  if (!found) reason = `there is no IPv${target.families.join(' or IPv')} address of it`;
  return { count, reason };
}

async function addressesOf(
  endpoint: Endpoint,
  resolve: Resolve,
): Promise<ReadonlyMap<Family, readonly string[]> | string> {
  if (endpoint.family !== undefined) return new Map([[endpoint.family, [endpoint.host]]]);
  const addresses = await resolve(endpoint.host);
  if (typeof addresses === 'string') return addresses;
  const families = new Map<Family, string[]>();
  for (const text of addresses) {
    const { family, text: address } = readAddress(text) ?? { family: 6, text };
    const known = families.get(family);
    if (known === undefined) families.set(family, [address]);
    else known.push(address);
  }
  return families;
}

/** The original documents an error for a name with several addresses, and takes the first. */
function chooseOf({ destination: { host } }: Target, anyAddress: boolean, { choose, log, told }: ClientPorts) {
  return (addresses: readonly string[] | undefined): string | undefined => {
    if (addresses === undefined || addresses.length < 2) return addresses?.[0];
    if (anyAddress) return addresses[choose(addresses.length)];
    const remedy = 'name the address itself, or send to any of them with --random-addr';
    if (!told.has(host)) log.warn('several-addresses', { host, addresses, used: addresses[0], remedy });
    told.add(host);
    return addresses[0];
  };
}

// Meanings as in ip(7), udp(7) and send(2).
const failures: Readonly<Record<string, string>> = {
  ENETUNREACH: 'this machine has no route to it',
  EHOSTUNREACH: 'this machine has no route to it',
  EADDRINUSE: 'another program has the address and port that it is to be sent from',
  EPERM: "this machine's firewall refused it",
  EACCES: "this machine's firewall or permissions refused it",
};

function sendFailure(error: unknown, to: string, source: string | undefined): string {
  const code = errnoOf(error) ?? '';
  if (code === 'EADDRNOTAVAIL' && source !== undefined) return `${to}: this machine has no address ${source} (--bind)`;
  return `${to}: ${failures[code] ?? describeError(error)}`;
}

function placeText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function targetText({ destination, bind }: Target): string {
  return bind === undefined ? destination.text : `${destination.text} from ${bind.text}`;
}
