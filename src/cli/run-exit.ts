/** The exit code of `netsteward run` that no other command has. */

/** EX_UNAVAILABLE of sysexits.h: a module of supervisor.must_start could not start. packaging/netsteward.service tries again. */
export const mustStartFailed = 69;
