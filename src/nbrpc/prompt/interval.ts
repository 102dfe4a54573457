/** How long an address is left alone: by how often it changes, on a grid that its hash has its own place in (pure). */
import type { PromptSettings } from './settings.ts';

/** An exponentially weighted count of changes, as it stood at a moment (seconds). */
export interface Activity {
  readonly count: number;
  readonly at: number;
}

export function activityAt(activity: Activity, at: number, memory: number): number {
  return activity.count * Math.exp(-Math.max(0, at - activity.at) / memory);
}

/** One more change, at this moment. */
export function changed(activity: Activity, at: number, memory: number): Activity {
  return { count: 1 + activityAt(activity, at, memory), at };
}

/**
 * Seconds, between `least` and `most`. Steps of a half: on a grid, an interval that shrank or grew by a little would put the
 * next check anywhere.
 */
export function intervalOf(activity: Activity, at: number, { least, most, memory }: PromptSettings): number {
  const halvings = Math.round(Math.log2(1 + activityAt(activity, at, memory)));
  return Math.max(least, most / 2 ** halvings);
}

/**
 * The place of an address of a host in every interval, in [0, 1): FNV-1a, its bits mixed by MurmurHash3's finalizer, as the
 * upper bits of FNV-1a alone hardly differ between texts that differ at their end.
 */
export function placeOf(host: string, address: string): number {
  let hash = 0x811c9dc5;
  const text = `${host} ${address}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** The first moment of the address's grid at or after `earliest`. Whatever ended late, or together, spreads again by this. */
export function onGrid(earliest: number, interval: number, place: number): number {
  return (Math.ceil(earliest / interval - place) + place) * interval;
}
