/** What a read-only look at the machine found: plain values, judged elsewhere. */

/** What could be read, or why not. */
export type Fact<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: FactFailure };

export interface FactFailure {
  readonly kind: 'missing-command' | 'permission' | 'failed';
  /** What the command or the kernel said. */
  readonly message: string;
}

export interface TableFact {
  readonly family: string;
  readonly name: string;
}

export interface SetFact {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** `ipv4_addr`, `ipv6_addr`, …; parts of a concatenation joined with ` . `. */
  readonly type: string;
  readonly flags: readonly string[];
}

export interface Ruleset {
  readonly tables: readonly TableFact[];
  readonly sets: readonly SetFact[];
}

/** One line of `ip rule` that looks up a table. */
export interface RuleFact {
  readonly priority: number;
  /** Undefined where the rule does not look at the mark. */
  readonly mark: number | undefined;
  readonly mask: number;
  /** The rule matches what the selector does not. */
  readonly not: boolean;
  /** Absent where the rule does not look at the source address. */
  readonly source?: { readonly address: string; readonly length: number };
  /** As `ip` prints it: a number, or a name of rt_tables. */
  readonly table: string | undefined;
}

export interface RouteFact {
  readonly table: string;
  /** `default`, or a prefix. */
  readonly destination: string;
  /** `unicast`, `blackhole`, `unreachable`, … */
  readonly type: string;
  readonly device: string | undefined;
  /** `dead`, `linkdown`, … */
  readonly flags: readonly string[];
}

export interface RoutingFacts {
  readonly rules: readonly RuleFact[];
  readonly routes: readonly RouteFact[];
}

export interface KernelFacts {
  /** As `uname -r` prints it. */
  readonly release: string;
  /** Build options by name (`CONFIG_NF_TABLES`) with `y` or `m`; undefined where the kernel's configuration cannot be read. */
  readonly options: ReadonlyMap<string, string> | undefined;
  /** Where cgroup2 is mounted. */
  readonly cgroup2: string | undefined;
}

export interface ReversePathFacts {
  /** `net.ipv4.conf.NAME.rp_filter` by interface, `all` and `default` among them: 0 off, 1 strict (RFC 3704), 2 loose. */
  readonly filters: ReadonlyMap<string, number>;
  /** `net.ipv4.conf.all.src_valid_mark`: the filter looks at a packet's mark too. */
  readonly looksAtMark: boolean;
}

/** Both included. */
export interface PortRangeFact {
  readonly first: number;
  readonly last: number;
}

export interface HostFacts {
  /** Such as `1.0.6`. */
  readonly nftVersion: Fact<string>;
  readonly ruleset: Fact<Ruleset>;
  readonly kernel: KernelFacts;
  readonly routing4: Fact<RoutingFacts>;
  readonly routing6: Fact<RoutingFacts>;
  /** IPv6 has no such filter of the kernel's own. */
  readonly reversePath: Fact<ReversePathFacts>;
  /** `net.ipv4.ip_local_port_range`: from where the kernel takes ports for connections (of IPv6 too). */
  readonly localPorts: Fact<PortRangeFact>;
}

/** What stays in the kernel when netsteward stops. */
export type OnStopNeed = 'keep' | 'flush';

/** What the configuration of the modules counts on. */
export interface HostNeeds {
  /** What the modules that are on work with: nothing is said of the rest. */
  readonly uses: ReadonlySet<'nft' | 'cgroups'>;
  /** Sets of the administrator's ruleset; `type` is the one that their elements must have. */
  readonly sets: readonly {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly type: string;
    readonly onStop: OnStopNeed;
  }[];
  readonly ownTables: readonly OwnTableNeed[];
  /** Ways around that are checked by themselves. */
  readonly exits?: readonly ExitSourceNeed[];
}

/** Checks through this exit are bound to these addresses of the machine. */
export interface ExitSourceNeed {
  readonly exit: string;
  readonly sources: readonly string[];
}

/** A table that netsteward makes itself. */
export interface OwnTableNeed {
  readonly family: string;
  readonly name: string;
  readonly onStop: OnStopNeed;
  /** The mark by which the administrator's `ip rule` finds the tunnel; undefined: nothing is marked. */
  readonly marks: { readonly mark: number; readonly mask: number } | undefined;
  /** Of the other ways around, where there are several. */
  readonly otherMarks?: readonly { readonly mark: number; readonly mask: number }[];
  /** Source ports of netsteward's own checks, which the table leaves alone; undefined: none are told apart so. */
  readonly exemptPorts: PortRangeFact | undefined;
  /** What stays without the table, and drops what these interfaces send elsewhere; its bits beside `marks` say "judged". */
  readonly guard?: { readonly interfaces: readonly string[]; readonly mark: number };
  /** What its marks are for: routes (default), or rules of the administrator's that match a unit's packets. */
  readonly use?: 'routing' | 'units';
}
