/** What a watchdog of resolvers needs of the system beside commands: TCP reachability, and files with a way back. */

export interface TcpReach {
  /**
   * Whether a TCP connection can be made, or is refused: a refusal comes from the far end and so proves the way to it. `timeout`
   * in milliseconds. Rejects only with the signal's reason.
   */
  reaches(address: string, port: number, timeout: number, signal: AbortSignal): Promise<boolean>;
}

/** `changed`: somebody else has written the file since the switch. */
export type SwitchState = 'original' | 'switched' | 'changed';

/**
 * A file that is replaced for a while. Beside it wait its original as `FILE.netsteward-original`, the same inode (a symbolic link
 * stays one), and a copy of what was written as `FILE.netsteward-fallback`: so a process that starts later, with whatever
 * configuration, knows of the switch and whether somebody else has written the file since. All reject with NetstewardError
 * `fallback-file-unusable`.
 */
export interface SwitchFiles {
  state(path: string): Promise<SwitchState>;
  /** Readers see the original or the whole new content. Of a file that is switched already, the original stays what it was. */
  switchTo(path: string, content: string): Promise<void>;
  /** Puts the original back in one step; where the file was changed by others it stays theirs, and 'changed' is given. */
  putBack(path: string): Promise<SwitchState>;
}
