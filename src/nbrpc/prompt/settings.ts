/** Timers and thresholds of the prompt schedule. Seconds. */

export interface PromptSettings {
  /** An address that has not changed lately is asked this often: the longest interval. */
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
  /** A blocked address that answers again is asked this often until it is released. */
  readonly recovering: number;
  /** It is released when it has answered for this long. */
  readonly releaseAfter: number;
  /** And so many times. */
  readonly releaseChecks: number;
  /** Failures meanwhile that are put down to chance; with one more, it has not worked again. */
  readonly releaseDoubts: number;
}

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
  recovering: 300,
  releaseAfter: 1800,
  releaseChecks: 5,
  releaseDoubts: 3,
};

/** For an address that is in use: at least every two minutes, and what fails is confirmed quicker. */
export const promptInUse: PromptSettings = { ...promptDefaults, most: 120, least: 60, again: 5, recovering: 120 };
