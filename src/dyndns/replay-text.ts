/** The replay state as text and back: every bit of each timestamp, and nothing taken on trust (pure). */
import { NetstewardError } from '../core/errors.ts';
import { type Family, readAddress } from './address.ts';
import { keyIdLength } from './packet.ts';
import type { LastAccepted, ReplayState } from './replay.ts';

const version = 1;

/** JSON; its numbers come back with the same bits (ECMA-262, Number::toString). */
export function printReplayState(state: ReplayState): string {
  return `${JSON.stringify({ version, keys: Object.fromEntries(state) })}\n`;
}

/** Throws NetstewardError `replay-state-damaged`, or `replay-state-newer` for one that a later version wrote. */
export function parseReplayState(text: string): ReplayState {
  const root = parseJson(text);
  if (!isRecord(root)) throw damaged('it holds no object');
  if (typeof root.version === 'number' && root.version > version) {
    throw new NetstewardError('replay-state-newer', `the replay state has version ${root.version}`, {
      remedy: 'Run the netsteward that wrote it, or a later one.',
    });
  }
  if (root.version !== version || !isRecord(root.keys)) throw damaged('version or keys are missing');
  return new Map(Object.entries(root.keys).map(([keyId, families]) => [keyId, readFamilies(keyId, families)]));
}

function readFamilies(keyId: string, families: unknown): Partial<Record<Family, LastAccepted>> {
  if (!/^[A-Za-z0-9_-]+$/.test(keyId) || keyId.length !== keyIdLength) throw damaged('a key id is none');
  if (!isRecord(families)) throw damaged(`${keyId} holds no object`);
  const made: Partial<Record<Family, LastAccepted>> = {};
  for (const [family, last] of Object.entries(families)) {
    if (family !== '4' && family !== '6') throw damaged(`${keyId} has a family that is neither 4 nor 6`);
    made[family === '4' ? 4 : 6] = readLast(`${keyId} family ${family}`, family, last);
  }
  return made;
}

function readLast(what: string, family: string, last: unknown): LastAccepted {
  if (!isRecord(last)) throw damaged(`${what} holds no object`);
  const { timestamp, address, acceptedAt, written, pending } = last;
  if (!isSeconds(timestamp) || !isSeconds(acceptedAt)) throw damaged(`${what} has a time that is none`);
  if (typeof address !== 'string' || String(readAddress(address)?.family) !== family) {
    throw damaged(`${what} has an address that is not of the family`);
  }
  const made: LastAccepted = { timestamp, address, acceptedAt, ...(pending === true ? { pending } : {}) };
  if (written === undefined) return made;
  if (!isRecord(written) || !isSeconds(written.timestamp) || !isSeconds(written.at)) {
    throw damaged(`${what} has a last write that is none`);
  }
  return { ...made, written: { timestamp: written.timestamp, at: written.at } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged('it is no JSON', error);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function damaged(reason: string, cause?: unknown): NetstewardError {
  return new NetstewardError('replay-state-damaged', `the replay state cannot be read: ${reason}`, {
    remedy: 'Put a saved copy back, or move it away: then the timestamps in the zone headers alone tell old from new.',
    ...(cause === undefined ? {} : { cause }),
  });
}
