/** How many signatures of strangers are checked between two looks at the socket: never so many that it overflows (pure). */

/** What libuv reads of one socket in a turn of the event loop (uv__udp_recvmsg, src/unix/udp.c): as many: more wait behind. */
export const mostInTurn = 32;

/** Checks a turn, at 0.1 ms each: while few packets come, and in a flood that leaves time. */
const quiet = { packets: 8, checks: 8 };
const flooded = 2;
/** Turns with a full look per check: whatever comes, a tenth of the time goes to strangers, among whom an owner may be. */
const fullTurns = 4;

/**
 * A socket that is not emptied in time drops packets of all senders alike, and those that it keeps are late by its whole
 * length. So reading comes first, and only the time that is left goes to checks.
 */
export class CheckBudget {
  #full = 0;

  /** `arrived`: packets in the last turn. 0: let the socket have the next turn too. */
  next(arrived: number): number {
    if (arrived < mostInTurn) {
      this.#full = 0;
      return arrived > quiet.packets ? flooded : quiet.checks;
    }
    this.#full = (this.#full + 1) % fullTurns;
    return this.#full === 0 ? 1 : 0;
  }
}
