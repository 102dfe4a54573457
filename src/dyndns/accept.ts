/** The way of a packet, cheapest step first, so that a flood of forgeries costs as little as it can (pure). */
import { type Address, type Family, familyOfSource, readAddress } from './address.ts';
import type { VerifyKey } from './keys.ts';
import { decodePacket, type Packet } from './packet.ts';
import { isTooSoon, type KeyPolicy } from './policy.ts';
import { isNewer, type ReplayState } from './replay.ts';
import { fitsQuick, fitsStrict } from './signature.ts';
import type { Zone } from './zone-file.ts';

/** Why a packet went no further, in the order of the steps. Stable names, for counters and the log. */
export const refusals = [
  'length',
  'key-unknown',
  'block-unusable',
  'timestamp-invalid',
  'not-newer',
  'clock-window',
  'signature',
  'signature-strict',
  'source-invalid',
  'source-not-allowed',
  'too-soon',
] as const;
export type Refusal = (typeof refusals)[number];
export type RefusalCounts = Record<Refusal, number>;

export function noRefusals(): RefusalCounts {
  return Object.fromEntries(refusals.map((refusal) => [refusal, 0])) as RefusalCounts;
}

/** A key of the zones, with the timestamps of the blocks that it may change. */
export interface KnownKey {
  readonly key: VerifyKey;
  /** Of its usable blocks, each value once; none: every block of the key has a problem. */
  readonly headers: readonly number[];
}

export type KnownKeys = ReadonlyMap<string, KnownKey>;

/** By key id, of all zone files together. */
export function knownKeys(zones: Iterable<Zone>): KnownKeys {
  const found = new Map<string, { key: VerifyKey; headers: Set<number> }>();
  for (const { blocks } of zones) {
    for (const { keys, timestamp, usable } of blocks) {
      for (const key of keys) {
        const known = found.get(key.id) ?? { key, headers: new Set() };
        found.set(key.id, known);
        if (usable) known.headers.add(timestamp);
      }
    }
  }
  return new Map(Array.from(found, ([id, { key, headers }]) => [id, { key, headers: [...headers] }]));
}

/** What the steps look at. */
export interface Scene {
  readonly keys: KnownKeys;
  readonly state: ReplayState;
  /** The server's wall clock, seconds since the Unix epoch. */
  readonly now: number;
  /** Seconds that a packet's timestamp may be from `now`, on either side; 0: any. */
  readonly clockWindow: number;
}

/** A packet that may be good: only its signature can tell. */
export interface Candidate {
  readonly packet: Packet;
  readonly key: VerifyKey;
  readonly family: Family;
  /** As the socket tells it. */
  readonly source: string;
}

/** Steps 1 to 4, a microsecond in all: length, key id, newer than the last one, near the server's clock. */
export function screen(datagram: Uint8Array, source: string, scene: Scene): Candidate | Refusal {
  const packet = decodePacket(datagram);
  if (packet === undefined) return 'length';
  const known = scene.keys.get(packet.keyId);
  if (known === undefined) return 'key-unknown';
  const candidate = { packet, key: known.key, family: familyOfSource(source), source };
  return timeliness(candidate, scene) ?? candidate;
}

/** The steps that change with time: asked again once a packet has waited in the queue. */
function timeliness({ packet, family }: Candidate, scene: Scene): Refusal | undefined {
  const { keyId, timestamp } = packet;
  const headers = scene.keys.get(keyId)?.headers;
  if (headers === undefined) return 'key-unknown';
  if (headers.length === 0) return 'block-unusable';
  if (!Number.isFinite(timestamp)) return 'timestamp-invalid';
  if (!headers.some((header) => isNewer(scene.state, keyId, family, timestamp, header))) return 'not-newer';
  const { clockWindow, now } = scene;
  return clockWindow > 0 && Math.abs(timestamp - now) > clockWindow ? 'clock-window' : undefined;
}

/** Step 6, after the queue: the quick verification, then on what passed it the strict one. Costs 0.1 ms to refuse. */
export function checkSignature({ packet, key }: Candidate): Refusal | undefined {
  if (!fitsQuick(key, packet.signed, packet.signature)) return 'signature';
  return fitsStrict(key, packet.signed, packet.signature) ? undefined : 'signature-strict';
}

/** A genuine update that its key is allowed. */
export interface Accepted {
  readonly keyId: string;
  readonly address: Address;
  readonly timestamp: number;
}

/** A packet that its key has signed but that may not be acted on. */
export interface Denied {
  readonly refusal: Refusal;
  /** To be remembered as if accepted: else whoever caught the packet sends it again later, from an address of his own. */
  readonly spent: boolean;
}

/**
 * Step 7, of a candidate whose signature is good: still timely (others were accepted while it waited), then the key's
 * policy. `changes` says whether this address would change a zone; the minimum interval is between changes.
 */
export function judge(
  candidate: Candidate,
  scene: Scene,
  policy: KeyPolicy,
  changes: (accepted: Accepted) => boolean,
): Accepted | Denied {
  const late = timeliness(candidate, scene);
  if (late !== undefined) return { refusal: late, spent: false };
  const address = readAddress(candidate.source);
  if (address === undefined) return { refusal: 'source-invalid', spent: false };
  if (!policy.allowsSource(address)) return { refusal: 'source-not-allowed', spent: false };
  const { keyId, timestamp } = candidate.packet;
  const accepted = { keyId, address, timestamp };
  const last = scene.state.get(keyId)?.[address.family];
  if (isTooSoon(policy, last, scene.now) && changes(accepted)) return { refusal: 'too-soon', spent: true };
  return accepted;
}
