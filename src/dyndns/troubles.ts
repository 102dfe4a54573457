/** Why updates do not reach the zones or DNS at the moment (pure). */
import type { ZoneView } from './zone-view.ts';

export interface Trouble {
  readonly code: 'dyndns-zone-unusable' | 'dyndns-zone-not-written' | 'dyndns-not-published';
  /** A zone file, or an update command. */
  readonly subject: string;
  readonly reason: string;
}

/** `failing`: reasons by zone file; `publishers`: by update command. */
export function troublesOf(
  views: readonly ZoneView[],
  failing: ReadonlyMap<string, string>,
  publishers: ReadonlyMap<string, { readonly lastError: string | undefined }>,
): Trouble[] {
  return [
    ...views.flatMap(({ settings, zone, failure }) => {
      const reason = failure ?? zone.problems.map(({ line, message }) => `line ${line}: ${message}`).join('; ');
      return reason === '' ? [] : [{ code: 'dyndns-zone-unusable' as const, subject: settings.file, reason }];
    }),
    ...Array.from(failing, ([subject, reason]) => ({ code: 'dyndns-zone-not-written' as const, subject, reason })),
    ...Array.from(publishers, ([subject, { lastError: reason }]) =>
      reason === undefined ? [] : [{ code: 'dyndns-not-published' as const, subject, reason }],
    ).flat(),
  ];
}
