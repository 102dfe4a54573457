/** The catalogue of everything that can be wrong with a running system: shown alike in the log, `netsteward status`, page and metrics. */

export type Severity = 'warning' | 'error';

interface CatalogueEntry {
  readonly severity: Severity;
  /** What is wrong; `{name}` is replaced by the warning's field of that name. */
  readonly text: string;
  readonly remedy: string;
}

/** Codes are stable: scripts and alert rules name them. */
export const catalogue = {
  'check-list-rejected': {
    severity: 'error',
    text: '{file} was not taken: {problems}; {inForce}',
    remedy: 'Mend the named lines; the file is read again at the next pass.',
  },
  'check-list-missing': {
    severity: 'warning',
    text: '{file} does not exist: an empty list',
    remedy: 'Create the file, or take it out of nbrpc.check_lists.',
  },
  'names-unresolved': {
    severity: 'warning',
    text: '{host} does not resolve: {reason}',
    remedy: 'Ask the resolver by hand (dig); known addresses stay in use until they age out.',
  },
  'junk-answer': {
    severity: 'warning',
    text: 'the resolver answered {host} with {addresses}, which are not public addresses; they were ignored',
    remedy: 'The answer may be forged: name a resolver that you trust in nbrpc.resolver.servers.',
  },
  'agent-unavailable': {
    severity: 'error',
    text: 'nft-agent is not available: {reason}; {kernel}',
    remedy: 'See the log lines of nft-agent just before; it is started again by itself.',
  },
  'sets-not-applied': {
    severity: 'error',
    text: 'nftables refused the sets: {reason}',
    remedy: 'Compare `nft list ruleset` with nbrpc.sets or nbrpc.table; it is tried again by itself.',
  },
  'use-unknown': {
    severity: 'warning',
    text: 'which addresses are in use cannot be told: {reason}; all are checked as seldom as if none were',
    remedy:
      'Compare nbrpc.sets.seen4 and seen6 with the ruleset, or take nbrpc.in_use out; it is asked again by itself.',
  },
  'connections-not-dropped': {
    severity: 'warning',
    text: 'connections to addresses that changed their route were not dropped: {reason}',
    remedy: 'Stuck connections end by their own time-outs; nbrpc.drop_connections = false takes the attempt away.',
  },
  'table-not-owned': {
    severity: 'warning',
    text: 'the table {table} is without the owner flag: {reason}; a flush by others empties it for some milliseconds',
    remedy: 'A kernel and nft that know "flags owner" (Linux 5.12, nft 0.9.9) close that gap.',
  },
  'state-not-saved': {
    severity: 'error',
    text: 'the state file {file} cannot be written: {reason}; routing stays as it is',
    remedy: 'Free space or mend permissions; it is tried again at the next pass.',
  },
  'state-file-damaged': {
    severity: 'error',
    text: '{reason}; routing stays as it is',
    remedy: 'Move the state file away while netsteward runs: it writes a new one from what it knows.',
  },
  'state-file-replaced': {
    severity: 'warning',
    text: 'the state file {file} was removed or replaced while it was in use; {outcome}',
    remedy: 'Stop netsteward before its state file is moved, removed or restored from a copy.',
  },
  'module-restarting': {
    severity: 'error',
    text: 'module {module} ended: {reason}; it starts again in {delay}',
    remedy: 'Mend what it names; `netsteward reload` tries again at once.',
  },
  'module-not-ended': {
    severity: 'error',
    text: 'module {module} was killed and does not end: {reason}',
    remedy:
      'systemd starts all of netsteward again soon, as its watchdog is no longer fed; elsewhere restart it. See `dmesg` for what the kernel waits for.',
  },
  'reload-rejected': {
    severity: 'error',
    text: 'the new configuration was not taken: {reason}',
    remedy: 'Run `netsteward check`, mend what it names, then reload again.',
  },
  'address-conflict': {
    severity: 'warning',
    text: '{count} address(es) are shared by hosts that should go different ways; of each, the first named decides: {addresses}',
    remedy: '`netsteward nbrpc explain HOST` shows why; a priority in [[nbrpc.service]] decides otherwise.',
  },
  'unknown-check-type': {
    severity: 'warning',
    text: '{file} has hosts that are never checked: {remarks}',
    remedy: 'Use https, http or dns, as in "example.org:https/path=200".',
  },
  'checks-not-possible': {
    severity: 'warning',
    text: '{count} check(s) could not be made by this machine: {reason}',
    remedy: 'Look at limits of open files, local ports and memory, and at the routes of this machine.',
  },
  'family-without-route': {
    severity: 'warning',
    text: 'no {family} route: {count} address(es) not checked',
    remedy:
      'Give this machine such a route, or let only the other family count: flag 4 or 6, as in "example.org>af-all.4".',
  },
  'own-side-broken': {
    severity: 'error',
    text: "this machine's own side does not work ({gate}): {reason}; no check counts meanwhile",
    remedy:
      'Mend the uplink or the resolver; or see nbrpc.control: services = [] asks no service, uplink = false no link.',
  },
  'exit-down': {
    severity: 'error',
    text: 'nothing works through exit {exit}: {reason}; no service takes it meanwhile',
    remedy: 'Mend that tunnel, or the `ip rule add from SOURCE lookup TABLE` that leads its checks there.',
  },
  'no-exit': {
    severity: 'error',
    text: '{count} blocked service(s) have no exit that works: {services}',
    remedy: 'Mend one of the exits; nbrpc.when_no_exit says what becomes of such services meanwhile.',
  },
  'state-log-failing': {
    severity: 'warning',
    text: 'the state log {file} cannot be written: {reason}; routing goes on',
    remedy: 'Free space or mend permissions; the log starts anew with every state as soon as it can.',
  },
  'zone-not-written': {
    severity: 'error',
    text: 'the zone file {file} cannot be written: {reason}; the old one stays',
    remedy: 'Free space or mend permissions of its folder; it is tried again at the next pass.',
  },
  'zone-not-reloaded': {
    severity: 'error',
    text: 'the zone file {file} is new, but its reload failed: {reason}',
    remedy: 'Run the command of nbrpc.zone.reload by hand; it is tried again at the next pass.',
  },
  'units-not-applied': {
    severity: 'error',
    text: 'nftables refused the rules of units: {reason}',
    remedy: 'Compare `nft list ruleset` with [cgroup-nft] and the rule files; it is tried again by itself.',
  },
  'unit-rule-refused': {
    severity: 'error',
    text: 'a rule of {unit} is not in force ({rule}): {reason}',
    remedy: 'Mend the rule, then reload; `netsteward cgroup-nft check FILE` shows what nft says of it.',
  },
  'unit-chain-missing': {
    severity: 'warning',
    text: 'the ruleset has no {chain}; rules of {units} unit(s) wait for it',
    remedy: 'Load the ruleset that defines it: the rules follow by themselves.',
  },
  'unit-rule-late': {
    severity: 'warning',
    text: 'the rules of {unit} came {late} after its process had begun',
    remedy:
      'Give cgroup-nft a higher priority (nice = -20 needs CAP_SYS_NICE), or make the unit wait: netsteward cgroup-nft drop-in.',
  },
  'rule-files-refused': {
    severity: 'error',
    text: 'the rule files were not taken: {reason}; what was in force stays',
    remedy: 'Mend the named lines; the files are read again at the next reload.',
  },
  'journal-unreadable': {
    severity: 'warning',
    text: 'the journal cannot be read: {reason}; cgroups are watched all the same',
    remedy: 'Run as root, or add the user to the group systemd-journal; it is tried again by itself.',
  },
  'dyndns-zone-unusable': {
    severity: 'error',
    text: 'blocks of {file} take no update: {reason}',
    remedy: 'Mend the named lines; `netsteward dyndns check FILE` shows them all. The file is read again by itself.',
  },
  'dyndns-zone-not-written': {
    severity: 'error',
    text: 'an accepted update is not in {file} yet: {reason}',
    remedy: 'Mend what it names; it is tried again by itself.',
  },
  'dyndns-not-published': {
    severity: 'error',
    text: 'the zone is written, but not published: {reason}',
    remedy: 'Run the update command by hand; it is tried again by itself.',
  },
  'history-not-written': {
    severity: 'warning',
    text: 'the history {file} cannot be written: {reason}; the newest events are kept in memory',
    remedy:
      'Free space, mend permissions, or move a damaged file away; it is tried again by itself. Or set history.off = true.',
  },
  'page-remote': {
    severity: 'warning',
    text: 'the status page can be reached from other machines on {listen}, and its token crosses the network unencrypted',
    remedy: 'Let page.listen be a unix socket or a loopback address, and open the way with ssh -L (`netsteward page`).',
  },
  'resolver-failing': {
    severity: 'error',
    text: 'the resolver {resolver} does not answer right: {reason}; {cures}',
    remedy: '`netsteward dnstest check -r ADDRESS NAME` asks it by hand; it is checked on, and cured as its cures say.',
  },
  'test-zone-down': {
    severity: 'warning',
    text: 'the test zone is down, so {resolver} cannot be judged: {reason}',
    remedy: 'Look at the server of dnstest.control, and at its key: `netsteward dnstest serve`.',
  },
  'resolver-not-judged': {
    severity: 'warning',
    text: '{resolver} is not judged: {reason}',
    remedy:
      'Mend the uplink, or what dnstest.guard names if the network is up: nothing is done to the resolver until then.',
  },
  'resolver-fallback': {
    severity: 'warning',
    text: '{file} leads to a fallback since {resolver} failed',
    remedy: 'Mend the resolver: the file is put back by itself when it answers right again.',
  },
  'dnstest-state-not-saved': {
    severity: 'warning',
    text: '{reason}; resolvers are watched all the same',
    remedy: 'Free space or mend permissions; until then a restart of netsteward forgets which cures were tried.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type WarningCode = keyof typeof catalogue;

/** A warning that holds at the moment. `subject` tells several of one code apart (a file, a host). */
export interface ActiveWarning {
  readonly code: WarningCode;
  readonly subject: string;
  readonly severity: Severity;
  readonly text: string;
  readonly remedy: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly since: number;
}

/** Which warnings hold, and since when. Telling the log about a change is left to `onChange`. */
export class WarningBoard {
  readonly #now: () => number;
  readonly #onChange: (change: 'raised' | 'cleared', warning: ActiveWarning) => void;
  readonly #active = new Map<string, ActiveWarning>();

  constructor(now: () => number, onChange: (change: 'raised' | 'cleared', warning: ActiveWarning) => void) {
    this.#now = now;
    this.#onChange = onChange;
  }

  /** Raises, or renews when its text changed; saying the same again is silent. */
  raise(code: WarningCode, subject: string, fields: Readonly<Record<string, string>>): void {
    const entry: CatalogueEntry = catalogue[code];
    const text = entry.text.replace(/\{(\w+)\}/g, (whole, name: string) => fields[name] ?? whole);
    const key = `${code} ${subject}`;
    const before = this.#active.get(key);
    if (before?.text === text) return;
    const warning: ActiveWarning = {
      code,
      subject,
      severity: entry.severity,
      text,
      remedy: entry.remedy,
      since: before?.since ?? this.#now(),
    };
    this.#active.set(key, warning);
    this.#onChange('raised', warning);
  }

  clear(code: WarningCode, subject: string): void {
    const key = `${code} ${subject}`;
    const before = this.#active.get(key);
    if (before === undefined) return;
    this.#active.delete(key);
    this.#onChange('cleared', before);
  }

  /** Clears all of one code but those whose subject is in `keep`. */
  clearOthers(code: WarningCode, keep: ReadonlySet<string>): void {
    for (const warning of this.list()) {
      if (warning.code === code && !keep.has(warning.subject)) this.clear(code, warning.subject);
    }
  }

  list(): readonly ActiveWarning[] {
    return [...this.#active.values()];
  }
}
