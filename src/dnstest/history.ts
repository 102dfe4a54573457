/** What happened to resolvers, newest last, no more than can be looked at (pure). */

export type HappeningKind =
  | 'failed'
  | 'recovered'
  | 'cured'
  | 'cure'
  | 'cure-failed'
  | 'rest'
  | 'put-back'
  | 'put-back-failed'
  | 'left-changed'
  | 'excused';

export interface Happening {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly resolver: string;
  readonly kind: HappeningKind;
  /** For people, one sentence without a dot. */
  readonly text: string;
}

/** Some weeks of a resolver that fails every day. */
export const mostHappenings = 500;

export function remember(history: readonly Happening[], happening: Happening): readonly Happening[] {
  return [...history.slice(-(mostHappenings - 1)), happening];
}
