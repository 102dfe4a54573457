/** Exit codes of every netsteward command (64 and 78 as in sysexits.h). */

export const exitCodes = {
  ok: 0,
  failure: 1,
  /** EX_USAGE: the command line cannot be understood. */
  usage: 64,
  /** EX_CONFIG: a configuration file is wrong; restarting will not help. */
  config: 78,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
