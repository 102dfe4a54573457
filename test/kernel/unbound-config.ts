/** The start of an unbound.conf (unbound.conf(5)) for a process of a test: in the foreground, with nothing outside of its folder. */

/** Lines of its `server:` clause may follow. */
export const unboundIn = (folder: string): string => `server:
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
`;
