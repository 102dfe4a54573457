/** How many signatures of strangers are checked between two looks at the socket: so few that neither it nor the machine suffers (pure). */

/** What libuv reads of one socket in a turn of the event loop (uv__udp_recvmsg, src/unix/udp.c): as many: more wait behind. */
export const mostInTurn = 32;

/** Checks a turn, at 0.1 ms each: while few packets come, and in a flood that leaves time. */
const quiet = { packets: 8, checks: 8 };
const flooded = 2;
/** Turns with a full look per check: whatever comes, some of the time goes to strangers, among whom an owner may be. */
const fullTurns = 4;

/**
 * Of the time, for as long as a flood lasts: a thread that takes less than its fair share of a busy machine runs soon when
 * there is work for it (EEVDF, sched(7)), and one that takes all that it can get waits for its turn with each genuine packet.
 */
export const share = 0.25;
/** Milliseconds of checks that can be saved up: a crowd of some hundred sources that all send one packet is checked at once. */
export const mostSaved = 25;
/** Milliseconds of checks that a pause is for: shorter ones would wake the thread for nearly nothing. */
const batch = 1;
/** Milliseconds that a check counts as at most: the clock tells how long it waited for the processor, too. */
export const mostCost = 1;
/** Milliseconds without a packet after which nothing is saved for the next: a server that stops works off what it has. */
export const calm = 10;

/**
 * A socket that is not emptied in time drops packets of all senders alike, and those that it keeps are late by its whole
 * length. So reading comes first, and of the time that is left checks get their share.
 */
export class CheckBudget {
  #full = 0;
  /** Below 0: owed. */
  #saved = mostSaved;
  #at: number | undefined;

  /**
   * `arrived`: packets in the last turn; `now`: milliseconds of any clock that never goes back; `calmFor`: milliseconds since the
   * last packet. 0: let the socket have the next turn too.
   */
  next(arrived: number, now: number, calmFor: number): number {
    if (this.#at !== undefined) this.#saved = Math.min(mostSaved, this.#saved + (now - this.#at) * share);
    this.#at = now;
    if (calmFor >= calm) return quiet.checks;
    if (this.#saved <= 0) return 0;
    if (arrived < mostInTurn) {
      this.#full = 0;
      return arrived > quiet.packets ? flooded : quiet.checks;
    }
    this.#full = (this.#full + 1) % fullTurns;
    return this.#full === 0 ? 1 : 0;
  }

  /** The check of a stranger's packet took so many milliseconds. */
  spent(took: number): void {
    this.#saved -= Math.min(took, mostCost);
  }

  /** Milliseconds until there is time for some checks again; 0: there is. */
  get pause(): number {
    return this.#saved > 0 ? 0 : (batch - this.#saved) / share;
  }
}
