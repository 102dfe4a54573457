/** Timers and thresholds of the prompt schedule. Seconds. */

export interface PromptSettings {
  /** An address that works, and has not changed lately, is asked this often: the longest interval. */
  readonly most: number;
  /** One that changes often: the shortest interval. */
  readonly least: number;
  /** For how long a change counts: its weight falls to 1/e after this. */
  readonly memory: number;
  /** A failing address is asked again after this, up to a quarter more by its hash. */
  readonly again: number;
  /** The same for one that fails on both routes, or now and then, for longer: with the quarter within a minute. */
  readonly slowly: number;
  /** Rounds at `again` before they come at `slowly`. */
  readonly quickRounds: number;
  /** Failures in a row before rounds begin to count: chance alone makes one or two. */
  readonly tries: number;
  /** So many … */
  readonly confirmations: number;
  /** … of the last so many rounds have to confirm the block. */
  readonly rounds: number;
  /** Whether there is another route to ask; without one a failure over the direct route confirms by itself. */
  readonly exit: boolean;
  /** A blocked address is asked at least this often: until it answers again, nobody knows that its block is over. */
  readonly blocked: number;
  /** Once it does, this often, and when its time is over, until it is released. */
  readonly recovering: number;
  /** It is released when it has answered for this long. */
  readonly releaseAfter: number;
  /** And so many times. */
  readonly releaseChecks: number;
  /** Failures meanwhile that are put down to chance; with one more, it has not worked again. */
  readonly releaseDoubts: number;
}

/**
 * By these a block is let go within an hour of its end, even if chance spoils the first three checks after it: the fourth one
 * comes after 4 × `blocked` and 4 time-outs of 30 s at the most, 26 minutes; then it takes `releaseAfter`, and `least` more if
 * the address was asked just before that: 58.3 minutes. What fails in between is asked again at once and delays nothing but the
 * last check, by 43 s. Left to chance are four failures in a row at the end of a block (where one check in a hundred fails: once
 * in 100 million) and more than `releaseDoubts` while it recovers (once in half a million): nobody could tell these from a block.
 */
export const promptDefaults: PromptSettings = {
  most: 540,
  least: 135,
  memory: 43_200,
  again: 10,
  slowly: 48,
  quickRounds: 8,
  tries: 2,
  confirmations: 3,
  rounds: 4,
  exit: true,
  blocked: 360,
  recovering: 300,
  releaseAfter: 1800,
  releaseChecks: 5,
  releaseDoubts: 3,
};

/** For an address that is in use: at least every two minutes, and what fails is confirmed quicker. */
export const promptInUse: PromptSettings = { ...promptDefaults, most: 120, least: 60, again: 5, recovering: 120 };
