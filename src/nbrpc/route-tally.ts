/** How long each service went around, and how often it changed its route, over a stretch of time (pure but for its own memory). */

export interface Tally {
  /** Seconds that it went around. */
  readonly around: number;
  /** Changes of its route after its first known one. */
  readonly flips: number;
}

interface Counted {
  around: number;
  flips: number;
  /** Since when it goes around; undefined: it does not. */
  since: number | undefined;
}

export class RouteTally {
  readonly #hosts = new Map<string, Counted>();

  /** How it stands from `now` (seconds) on. */
  look(host: string, now: number, around: boolean): void {
    const known = this.#hosts.get(host);
    if (known === undefined) {
      this.#hosts.set(host, { around: 0, flips: 0, since: around ? now : undefined });
      return;
    }
    if (around === (known.since !== undefined)) return;
    known.flips += 1;
    if (known.since !== undefined) known.around += Math.max(0, now - known.since);
    known.since = around ? now : undefined;
  }

  /** By host, until `now`. */
  at(now: number): ReadonlyMap<string, Tally> {
    return new Map(
      [...this.#hosts].map(([host, { around, flips, since }]) => {
        return [host, { around: around + (since === undefined ? 0 : Math.max(0, now - since)), flips }];
      }),
    );
  }
}
