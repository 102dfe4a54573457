/** Questions for connections that the kernel tracks, their answers, and deletions: linux/netfilter/nfnetlink_conntrack.h (pure). */
import { Address6 } from 'ip-address';
import { attribute, contentAt, contentOf, littleEndian } from './netlink-attributes.ts';
import { message, messageDone, messageError, messagesOf } from './nfnetlink-messages.ts';

// bits/socket.h
const families = { 4: 2, 6: 10 } as const;
/** NFNL_SUBSYS_CTNETLINK */
const subsystem = 1;
const getConnection = 1;
const deleteConnection = 2;
const flags = { request: 1, dump: 0x300 };
const nested = 0x8000;

// enum ctattr_type, ctattr_tuple, ctattr_ip
const tupleOriginal = 1;
const identity = 12;
const zone = 18;
const filter = 25;
const tupleAddresses = 1;
const destinations = { 4: 2, 6: 4 } as const;
/** CTA_FILTER_ORIG_FLAGS, and CTA_FILTER_F_CTA_IP_DST of net/netfilter/nf_internals.h (conntrack-tools and kernel agree on it). */
const filterOriginal = 1;
const byDestination = 1 << 1;

export type IpFamily = 4 | 6;

export function familyOfAddress(address: string): IpFamily {
  return address.includes(':') ? 6 : 4;
}

/** Of a canonical address, as it stands in packets. */
export function addressBytes(address: string): Buffer {
  if (familyOfAddress(address) === 4) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(new Address6(address).toUnsignedByteArray());
}

function request(type: number, flag: number, sequence: number, family: IpFamily, body: Buffer): Buffer {
  return message((subsystem << 8) | type, flag, sequence, families[family], 0, body);
}

/**
 * For all connections of a family, or for those to one IPv4 address, as their first packet said: kernels before 5.9 know no such
 * filter and answer with all of them. By an IPv6 address the kernel gives just those that go elsewhere
 * (ctnetlink_filter_match_tuple() of net/netfilter/nf_conntrack_netlink.c negates ipv6_addr_cmp(); seen with 6.18).
 */
export function connectionsQuestion(sequence: number, family: IpFamily, to4?: string): Buffer {
  const body = to4 === undefined ? Buffer.alloc(0) : toAddress(to4);
  return request(getConnection, flags.request | flags.dump, sequence, family, body);
}

function toAddress(to: string): Buffer {
  const wanted = Buffer.alloc(4);
  if (littleEndian) wanted.writeUInt32LE(byDestination);
  else wanted.writeUInt32BE(byDestination);
  const address = attribute(destinations[4], addressBytes(to));
  return Buffer.concat([
    attribute(tupleOriginal | nested, attribute(tupleAddresses | nested, address)),
    attribute(filter | nested, attribute(filterOriginal, wanted)),
  ]);
}

/** What names one connection to the kernel, as the kernel itself has said it. */
export interface Connection {
  readonly family: IpFamily;
  /** Where its first packet went: the bytes as latin1 text. */
  readonly to: string;
  readonly tuple: Buffer;
  /** So that a later connection of the same tuple is none of it. */
  readonly identity: Buffer | undefined;
  readonly zone: Buffer | undefined;
}

/** As `to` of a connection. */
export function destinationKey(address: string): string {
  return addressBytes(address).toString('latin1');
}

export interface ConnectionAnswers {
  /** Of those to the wanted addresses. */
  readonly connections: readonly Connection[];
  /** The dump has ended; `errno` 0: all right. */
  readonly end: { readonly errno: number } | undefined;
}

/**
 * One datagram of a dump. `wanted`: destinationKey() of addresses; what goes elsewhere is passed over without a copy, since a
 * table may hold 100 000 of them. A truncated message ends the reading.
 */
export function parseConnections(datagram: Buffer, sequence: number, wanted: ReadonlySet<string>): ConnectionAnswers {
  const connections: Connection[] = [];
  let end: ConnectionAnswers['end'];
  for (const answer of messagesOf(datagram)) {
    if (answer.sequence !== sequence) continue;
    const { type } = answer;
    if (type === messageDone || type === messageError) {
      // NLMSG_DONE of a dump carries its outcome, too (net/netlink/af_netlink.c, netlink_dump_done()).
      end = { errno: answer.errno ?? 0 };
    } else if (type >> 8 === subsystem) {
      const found = connectionOf(answer.family, answer.body, wanted);
      if (found !== undefined) connections.push(found);
    }
  }
  return { connections, end };
}

function connectionOf(
  number: number | undefined,
  body: Buffer | undefined,
  wanted: ReadonlySet<string>,
): Connection | undefined {
  const family = number === families[4] ? 4 : number === families[6] ? 6 : undefined;
  if (family === undefined) return undefined;
  const tuple = contentOf(body, tupleOriginal);
  const to = contentAt(tuple, [tupleAddresses, destinations[family]])?.toString('latin1');
  if (tuple === undefined || to === undefined || !wanted.has(to)) return undefined;
  const copy = (content: Buffer | undefined) => (content === undefined ? undefined : Buffer.from(content));
  return {
    family,
    to,
    tuple: Buffer.from(tuple),
    identity: copy(contentOf(body, identity)),
    zone: copy(contentOf(body, zone)),
  };
}

/** One message for each, in one datagram; the kernel answers errors alone (ENOENT: it was gone already). */
export function deletions(sequence: number, connections: readonly Connection[]): Buffer {
  return Buffer.concat(
    connections.map((each) => {
      const parts = [attribute(tupleOriginal | nested, each.tuple)];
      if (each.identity !== undefined) parts.push(attribute(identity, each.identity));
      if (each.zone !== undefined) parts.push(attribute(zone, each.zone));
      return request(deleteConnection, flags.request, sequence, each.family, Buffer.concat(parts));
    }),
  );
}

/** The errors in a datagram of answers to deletions. */
export function parseErrors(datagram: Buffer, sequence: number): readonly number[] {
  const errors: number[] = [];
  for (const answer of messagesOf(datagram)) {
    if (answer.type !== messageError || answer.sequence !== sequence) continue;
    if (answer.errno !== undefined) errors.push(answer.errno);
  }
  return errors;
}
