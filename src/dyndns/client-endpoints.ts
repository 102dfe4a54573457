/** Where a client sends its packets to and from: texts of the command line as pairs of destination and bind (pure). */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Family } from './address.ts';
import type { Read } from './keys.ts';

export const defaultPort = 5533;

export interface Endpoint {
  /** As it was written. */
  readonly text: string;
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Of an address; a name may have both. */
  readonly family: Family | undefined;
}

/** Which addresses of a destination get packets: those of one family, the first one (IPv4 before IPv6), or one of each. */
export type FamilyChoice = Family | 'first' | 'both';

export interface Target {
  readonly destination: Endpoint;
  readonly bind: Endpoint | undefined;
  /** The families that can be used, the preferred one first. */
  readonly families: readonly Family[];
  /** Whether each of the families gets a packet, or just the first that the destination has an address of. */
  readonly each: boolean;
}

/** `host[:port]`, several split by `/`. IPv6 with brackets or, without a port, without them. */
export function readDestinations(text: string): Read<readonly Endpoint[]> {
  return readEndpoints(text, 'destination', defaultPort, 1);
}

/** The same; a port that is absent or 0 is any. */
export function readBinds(text: string): Read<readonly Endpoint[]> {
  return readEndpoints(text, 'address to send from', 0, 0);
}

function readEndpoints(text: string, what: string, port: number, least: number): Read<readonly Endpoint[]> {
  const found: Endpoint[] = [];
  for (const part of text.split('/')) {
    const endpoint = readEndpoint(part, port, least);
    if (typeof endpoint === 'string') {
      return { problem: `${part === '' ? `an empty ${what}` : `the ${what} ${part}: ${endpoint}`}` };
    }
    found.push(endpoint);
  }
  return { value: found };
}

function readEndpoint(text: string, defaultPort: number, least: number): Endpoint | string {
  // Before any port is looked for: `::1` is an address, and not port 1 of the host ":".
  if (isIP(text) !== 0) return { text, host: text, port: defaultPort, family: isIPv4(text) ? 4 : 6 };
  const [, inner, host = inner ?? '', digits] =
    /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? ([] as (string | undefined)[]);
  if (host === '') return 'write it as HOST, HOST:PORT, ADDRESS or [IPV6-ADDRESS]:PORT';
  if (inner !== undefined && !isIPv6(inner)) return 'what stands in brackets is no IPv6 address';
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) return `${host} is no IPv4 address`;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port > 65535 || (digits !== undefined && port < least)) return `a port is between ${least} and 65535`;
  return { text, host, port, family: inner === undefined ? (isIPv4(host) ? 4 : undefined) : 6 };
}

/** Every destination from every bind, but for pairs of an IPv4 and an IPv6 address. A destination that is left with none is a problem. */
export function planTargets(
  destinations: readonly Endpoint[],
  binds: readonly Endpoint[],
  choice: FamilyChoice,
): Read<readonly Target[]> {
  const asked: readonly Family[] = choice === 4 || choice === 6 ? [choice] : [4, 6];
  const targets: Target[] = [];
  for (const destination of destinations) {
    const before = targets.length;
    for (const bind of binds.length === 0 ? [undefined] : binds) {
      const families = asked.filter((family) => fits(destination, family) && fits(bind, family));
      if (families.length > 0) targets.push({ destination, bind, families, each: choice === 'both' });
    }
    if (targets.length > before) continue;
    const why = asked.some((family) => fits(destination, family))
      ? 'no address to send from is of its family'
      : `it is not an IPv${asked[0]} address`;
    return { problem: `the destination ${destination.text}: ${why}` };
  }
  return { value: targets };
}

function fits(endpoint: Endpoint | undefined, family: Family): boolean {
  return endpoint?.family === undefined || endpoint.family === family;
}
