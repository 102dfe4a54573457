/** What `world` serves: names, their addresses, how each path answers, and what DNS says of the name. */
import { canonicalAddress, canonicalName, familyOf } from './address.ts';
import { labError } from './lab-error.ts';
import { serviceAddress } from './plan.ts';

/** How one path answers. */
export interface Answer {
  /** 200 by default. */
  readonly status?: number;
  /** Bytes of the body; 96 KiB by default, so that a stall shows. */
  readonly bytes?: number;
  /** Of a redirect; by default the name's own front page. */
  readonly location?: string;
  /** The server itself sends this many bytes of the body, then nothing more, on an open connection. */
  readonly stallAfter?: number;
  /** Milliseconds before the answer starts. */
  readonly delay?: number;
}

/** `drop`, `rst` and `icmp`: the service is out of order at all its addresses, whichever way one comes. */
export const outages = ['none', 'drop', 'rst', 'icmp'] as const;
export type Outage = (typeof outages)[number];

export const certificateKinds = ['valid', 'expired', 'wrong-name', 'self-signed'] as const;
export type CertificateKind = (typeof certificateKinds)[number];

export interface ServiceSpec {
  readonly name: string;
  /** Addresses; made up by the lab (two) when left out. */
  readonly ipv4?: readonly string[];
  readonly ipv6?: readonly string[];
  /** Of every path that `paths` does not name. */
  readonly answer?: Answer;
  /** By path with query (`/x?k=v`), else by path alone. */
  readonly paths?: Readonly<Record<string, Answer>>;
  readonly outage?: Outage;
  readonly certificate?: CertificateKind;
}

/** A service with everything filled in and checked. */
export interface Service {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly answer: Answer;
  readonly paths: Readonly<Record<string, Answer>>;
  readonly outage: Outage;
  readonly certificate: CertificateKind;
}

/** What DNS says of a name. `delay`: milliseconds before each answer. */
export type DnsBehaviour = { readonly delay?: number } & (
  | { readonly kind: 'normal' | 'nxdomain' | 'servfail' | 'refused' | 'silence' | 'garbage' | 'empty' }
  /** Exactly these; private or otherwise impossible ones too. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  /** `count` of the service's addresses of each family, the next ones at each question. */
  | { readonly kind: 'rotate'; readonly count: number }
  /** Only the first `count` of each family. */
  | { readonly kind: 'shrink'; readonly count: number }
  /** The service's own ones, and private ones among them. */
  | { readonly kind: 'junk' }
);

export const defaultBodyBytes = 96 * 1024;

export const defaultServices: readonly ServiceSpec[] = [
  { name: 'video.example' },
  { name: 'news.example' },
  { name: 'chat.example' },
  { name: 'shop.example' },
];

/** Fills in and checks; `index` (from 0) picks made-up addresses. Throws LabError `lab-service`. */
export function serviceOf(spec: ServiceSpec, index: number): Service {
  const name = canonicalName(spec.name);
  if (name === undefined) throw labError('lab-service', `${JSON.stringify(spec.name)} is not a host name`);
  const addresses = [...familyAddresses(name, 4, spec.ipv4, index), ...familyAddresses(name, 6, spec.ipv6, index)];
  if (addresses.length === 0) throw labError('lab-service', `${name} has no address`);
  for (const [path, answer] of [['', spec.answer ?? {}] as const, ...Object.entries(spec.paths ?? {})]) {
    checkAnswer(`${name}${path}`, answer);
  }
  return {
    name,
    addresses,
    answer: spec.answer ?? {},
    paths: spec.paths ?? {},
    outage: spec.outage ?? 'none',
    certificate: spec.certificate ?? 'valid',
  };
}

function familyAddresses(name: string, family: 4 | 6, given: readonly string[] | undefined, index: number): string[] {
  const texts = given ?? [serviceAddress(family, index, 0), serviceAddress(family, index, 1)];
  const addresses = texts.map((text) => {
    const address = canonicalAddress(text);
    if (address === undefined || familyOf(address) !== family) {
      throw labError('lab-service', `${name}: ${JSON.stringify(text)} is not an IPv${family} address`);
    }
    return address;
  });
  return [...new Set(addresses)];
}

function checkAnswer(place: string, { status = 200, bytes = 0, delay = 0, stallAfter = 0 }: Answer): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw labError('lab-service', `${place}: a response code is a number from 200 to 599, not ${status}`);
  }
  for (const [key, value] of Object.entries({ bytes, delay, stallAfter })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw labError('lab-service', `${place}: ${key} is a number >= 0, not ${value}`);
  }
}

/** How a service answers a request target. */
export function answerFor(
  service: Service,
  target: string,
): Required<Omit<Answer, 'stallAfter'>> & { stallAfter: number | undefined } {
  const path = target.split('?', 1)[0] ?? target;
  const answer = ownValue(service.paths, target) ?? ownValue(service.paths, path) ?? service.answer;
  return {
    status: answer.status ?? 200,
    bytes: answer.bytes ?? defaultBodyBytes,
    location: answer.location ?? `https://${service.name}/`,
    delay: answer.delay ?? 0,
    stallAfter: answer.stallAfter,
  };
}

function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
