/** Updates that the state knows and a zone has not: after a crash, or from a copy that somebody saved over them (pure). */
import { readAddress } from './address.ts';
import type { KeyPolicy } from './policy.ts';
import { pendingUpdates, type ReplayState, resumes } from './replay.ts';
import { headerValue } from './timestamp.ts';
import { editZone } from './zone-edit.ts';
import type { Zone } from './zone-file.ts';
import type { Job } from './zone-writer.ts';

/** What was accepted and perhaps never written, or never published. */
export function unfinished(state: ReplayState, isKnown: (keyId: string) => boolean): Job[] {
  return pendingUpdates(state).flatMap((update) => {
    const { keyId, timestamp } = update;
    const address = readAddress(update.address);
    if (address === undefined || !isKnown(keyId)) return [];
    return [{ keyId, address, timestamp, isNewer: (header: number) => resumes(state, update, header) }];
  });
}

/**
 * What a zone lacks with a header older than what was written: somebody had read it before the update and saved it after.
 * What was accepted stays true; but whoever changes an address by hand leaves the header as it is, and is right.
 */
export function undone(state: ReplayState, zone: Zone, policyOf: (keyId: string) => KeyPolicy): Job[] {
  const found = new Map<string, Job>();
  for (const { usable, keys, timestamp: header } of zone.blocks) {
    for (const { id: keyId } of usable ? keys : []) {
      for (const family of [4, 6] as const) {
        const last = state.get(keyId)?.[family];
        const address = last && readAddress(last.address);
        if (last?.written === undefined || address === undefined || found.has(`${keyId} ${family}`)) continue;
        const { timestamp } = last.written;
        const isNewer = (other: number): boolean => other < headerValue(timestamp);
        if (!isNewer(header)) continue;
        const policy = policyOf(keyId);
        const options = { isNewer, allowsName: (name: string) => policy.allowsName(name), mostFacts: 0 };
        const { changed } = editZone(zone, { keyId, address, timestamp }, options);
        if (changed > 0) found.set(`${keyId} ${family}`, { keyId, address, timestamp, isNewer });
      }
    }
  }
  return [...found.values()];
}
