/** The exits of a parsed configuration: what the sink keeps for them, and what becomes of a service without one (pure). */
import { familyOf } from './address.ts';
import type { ExitConfig, ServiceConfig } from './exit-config.ts';
import type { Family } from './model.ts';
import type { SetNames } from './sets.ts';

export type WhenNoExit = 'direct' | 'drop';

/** What `[nbrpc]` says of exits. */
export interface Exiting {
  readonly schedule: 'prompt' | 'original';
  readonly when_no_exit: WhenNoExit;
  readonly exit: readonly ExitConfig[];
  readonly service: readonly ServiceConfig[];
  readonly sets?: SetNames | undefined;
}

/** The first exit may leave it to `[nbrpc.sets]`. */
export function ownSets(
  { blocked4, blocked6 }: ExitConfig,
  index: number,
  sets: SetNames | undefined,
): SinkExit['sets'] {
  if (index > 0 || blocked4 !== undefined || blocked6 !== undefined) return { blocked4, blocked6 };
  return { blocked4: sets?.blocked4, blocked6: sets?.blocked6 };
}

/** Whether any service is to be dropped rather than to go direct. */
export function dropsAny({ exit: exits, when_no_exit, service: services }: Omit<Exiting, 'sets'>): boolean {
  if (exits.length === 0) return false;
  return when_no_exit === 'drop' || services.some((each) => each.when_no_exit === 'drop');
}

/** What the sets are kept for, where there is more than one way around; absent for the one that needs no word. */
export interface SinkExits {
  /** In the preferred order. */
  readonly exits?: readonly SinkExit[];
  /** Services may be dropped. */
  readonly drops?: true;
}

export interface SinkExit {
  readonly name: string;
  /** In the own table. */
  readonly mark: number;
  /** In the administrator's ruleset. */
  readonly sets: { readonly blocked4?: string | undefined; readonly blocked6?: string | undefined };
}

/** `mark`: of an exit that has none of its own, in the own table. */
export function sinkExits(value: Exiting, mark: number): SinkExits {
  const { exit: exits, sets } = value;
  if (exits.length === 0) return {};
  return {
    exits: exits.map((exit, index) => ({
      name: exit.name,
      mark: exit.mark ?? mark,
      sets: ownSets(exit, index, sets),
    })),
    ...(dropsAny(value) ? { drops: true } : {}),
  };
}

/** What becomes of a blocked service while no exit works. */
export function whenNoExitOf({ when_no_exit, service: services }: Exiting): (host: string) => WhenNoExit {
  const own = new Map(services.map((each) => [each.host, each.when_no_exit]));
  return (host) => own.get(host) ?? when_no_exit;
}

/** The way around that checks can take: bound to these own addresses. */
export interface Exit {
  readonly name: string;
  readonly source: Readonly<Partial<Record<Family, string>>>;
}

export function exitsOf({ exit: exits }: Pick<Exiting, 'exit'>): readonly Exit[] {
  return exits.map(({ name, source }) => ({
    name,
    source: Object.fromEntries(source.map((text) => [familyOf(text), text])),
  }));
}
