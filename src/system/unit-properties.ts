/** What systemd's system manager says of units: for the commands that explain and check, none of which needs it. */

export interface UnitFacts {
  /** `loaded`, `not-found`, `masked`, … */
  readonly load: string;
  /** `active`, `inactive`, `failed`, … */
  readonly active: string;
  /** Path of its cgroup, relative to the tree's root; undefined while it has none. */
  readonly cgroup: string | undefined;
  /** Its Slice=; undefined for what is in none. */
  readonly slice: string | undefined;
  /** Socket units that start it: what comes in through them belongs to their cgroups, not to the unit's. */
  readonly sockets: readonly string[];
}

export interface UnitProperties {
  /** By the name asked for. Undefined where there is no systemd to ask, or it does not answer. Never rejects. */
  of(units: readonly string[]): Promise<ReadonlyMap<string, UnitFacts> | undefined>;
}
