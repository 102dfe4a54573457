/** What the status page's server answers, as types: the browser's side imports them from here, so nothing of Node may stand here. */
//
// Every time is wall clock, milliseconds since the epoch (UTC), where nothing else is said. Every text may hold what others wrote:
// it is text, never markup. Lists are sorted as they are to be shown.
//
// GET  /                     the page; its other files by their names in dist/web: /page.js, /page.css, /uPlot.min.js, ...
// GET  /api/state            PageState: the whole present
// GET  /api/strips?days=N    Strips: N from 1 to 31, 30 if absent; with an ETag: ask again with If-None-Match
// GET  /api/latency?resolver=NAME&hours=N   Latency: NAME is ResolverRow.id; N from 1 to 744, 24 if absent
// GET  /api/events?limit=N   Events: N from 1 to 1000, 100 if absent
// GET  /api/live             text/event-stream; named messages, each with one line of JSON:
//                              `state`  StatePatch; the first after each connection is whole (`full`), then at most one a second
//                              `event`  EventRow, those to come
//                              `problem` PageProblem: netsteward itself does not answer just now; a `state` follows when it does
//                            and a comment every 20 s. Who is too slow is dropped: connect again.
// POST /api/check            CheckRequest → 202 CheckAnswer; content-type application/json, with Authorization: Bearer TOKEN
//
// Whatever fails is answered with a PageProblem: 400 a wrong parameter, 401 a token is needed (PageState.access), 403 the token is
// wrong or the request is another site's, 404, 405, 413, 421 the Host header names something else than localhost, 501 the module
// cannot do it, 503 too many connections or netsteward does not answer.
//
// Where PageState.access.reading is `token`, every /api/ route needs the header; the page's own files need none. EventSource sends
// no headers: read /api/live with fetch() then (or always).

/** Body of every answer that is no success. */
export interface PageProblem {
  /** What is wrong, for people. */
  readonly error: string;
  /** What to do about it; empty where nothing can be done. */
  readonly remedy: string;
}

export interface PageState {
  /** When this was looked at. */
  readonly at: number;
  readonly service: ServiceHead;
  readonly access: Access;
  readonly modules: readonly ModuleRow[];
  readonly warnings: readonly WarningRow[];
  /** Of nbrpc; null: the module is not on, or has not said anything yet. The same with the others. */
  readonly nbrpc: NbrpcHead | null;
  /** At most those that nbrpc shows (200), what matters most; `nbrpc.more` counts the others. */
  readonly services: readonly ServiceRow[];
  readonly units: readonly UnitRow[];
  readonly cgroupNft: CgroupNftHead | null;
  readonly names: readonly NameRow[];
  readonly dyndns: DyndnsHead | null;
  readonly resolvers: readonly ResolverRow[];
  readonly dnstest: DnstestHead | null;
}

/**
 * What has changed since the message before: absent is unchanged. With `full` it is all there is: forget what was known, and take
 * every list's `put` for the list. `order`, where it is there, is the ids of the whole list in the order in which they are shown.
 */
export interface StatePatch {
  readonly at: number;
  readonly full: boolean;
  readonly service?: ServiceHead;
  readonly access?: Access;
  readonly modules?: ListPatch<ModuleRow>;
  readonly warnings?: ListPatch<WarningRow>;
  readonly nbrpc?: NbrpcHead | null;
  readonly services?: ListPatch<ServiceRow>;
  readonly units?: ListPatch<UnitRow>;
  readonly cgroupNft?: CgroupNftHead | null;
  readonly names?: ListPatch<NameRow>;
  readonly dyndns?: DyndnsHead | null;
  readonly resolvers?: ListPatch<ResolverRow>;
  readonly dnstest?: DnstestHead | null;
}

export interface ListPatch<Row extends { readonly id: string }> {
  /** New or changed, whole. */
  readonly put: readonly Row[];
  /** Ids of those that are no more. */
  readonly gone: readonly string[];
  readonly order?: readonly string[];
}

export interface ServiceHead {
  readonly version: string;
  readonly state: 'starting' | 'running' | 'reloading' | 'stopping' | 'stopped';
  readonly ready: boolean;
  readonly startedAt: number;
  /** The configuration file. */
  readonly config: string;
  readonly lastReload: { readonly at: number; readonly ok: boolean; readonly problems: readonly string[] } | null;
}

/** What who looks at the page may do. */
export interface Access {
  /** `token`: every /api/ route needs it. */
  readonly reading: 'open' | 'token';
  /** "check now": `off` without a token_file, then `why` says so. */
  readonly check: 'token' | 'off';
  readonly why: string;
}

export interface ModuleRow {
  /** The module's name. */
  readonly id: string;
  readonly state: 'starting' | 'running' | 'waiting' | 'stopping' | 'stopped';
  readonly since: number;
  readonly restarts: number;
  readonly lastError: string | null;
  /** Its own line, such as `3 of 120 services rerouted`; empty while it does not run. */
  readonly summary: string;
}

export interface WarningRow {
  readonly id: string;
  /** Stable, such as `resolver-failing`. */
  readonly code: string;
  readonly subject: string;
  readonly severity: 'warning' | 'error';
  readonly text: string;
  readonly remedy: string;
  readonly since: number;
}

export type Standing = 'dropped' | 'rerouted' | 'failing' | 'unchecked' | 'unresolved' | 'waiting' | 'ok';

export interface NbrpcHead {
  /** Of all hosts, shown or not. */
  readonly total: number;
  /** Hosts that are not among `services`. */
  readonly more: number;
  readonly byStanding: Readonly<Record<Standing, number>>;
  /** Addresses that go through the tunnel, as the kernel holds them. */
  readonly blocked: number;
  readonly lastPass: number | null;
  /** When hosts are checked next, all of them. */
  readonly nextPass: number | null;
  /** Checks of the first pass, while it is under way. */
  readonly firstPass: { readonly done: number; readonly total: number } | null;
  /** In the preferred order; empty where there is one way around, without a name. */
  readonly exits?: readonly ExitRow[];
  /** How long changes of routes took, from the first check that told; absent under the original's schedule. */
  readonly reactions?: Reactions;
}

export type ReactionKind = 'reroute' | 'release' | 'fail-over';

export interface Reactions {
  /** `count`: since the start; seconds of the newest 100, null where there is none. */
  readonly byKind: Readonly<
    Record<ReactionKind, { readonly count: number; readonly median: number | null; readonly worst: number | null }>
  >;
  /** The newest first, at most 10; `took` in seconds. */
  readonly last: readonly {
    readonly at: number;
    readonly kind: ReactionKind;
    readonly host: string;
    readonly took: number;
  }[];
}

export interface ExitRow {
  readonly name: string;
  readonly works: boolean;
  /** Why it does not; empty where it does. */
  readonly reason: string;
  /** Median of the newest checks that worked through it, milliseconds; null before the first one. */
  readonly latency: number | null;
  /** Since when it works, or does not, as far as netsteward knows since its start; null: before its first look. */
  readonly since?: number | null;
  /** Services that take it, and addresses that go through it now. */
  readonly hosts: number;
  readonly addresses: number;
}

export interface ServiceRow {
  /** The host's name. */
  readonly id: string;
  readonly standing: Standing;
  /** As in effect: `af-all`, `pick`, ... */
  readonly policy: string;
  /** `https`, `http`, `dns`, ... */
  readonly check: string;
  readonly state: 'ok' | 'failing' | 'unstable' | 'na' | 'unknown';
  readonly since: number | null;
  readonly failingSince: number | null;
  readonly reason: string;
  /** How it is blocked; null: it is not, or nobody knows more than the reason says. */
  readonly cause?: CauseRow | null;
  /** The exit that it takes; empty: none works for it; null: it takes none, or there is but one, without a name. */
  readonly exit?: string | null;
  /** When DNS was last asked. */
  readonly resolved: number | null;
  /** The newest check of any of its addresses. */
  readonly checked: number | null;
  readonly addresses: readonly AddressRow[];
  /** Addresses that are not shown. */
  readonly moreAddresses: number;
}

export interface CauseRow {
  /** The step at which it fails. */
  readonly kind: 'none' | 'name' | 'connect' | 'tls' | 'http' | 'transfer';
  /** Stable, such as `sni`. */
  readonly code: string;
  /** The sentence for people, which begins with the step: `TLS: ...`. */
  readonly text: string;
}

export interface AddressRow {
  readonly address: string;
  readonly state: 'ok' | 'na' | 'unknown';
  /** Why it fails, or why it was not checked; may be empty. */
  readonly reason: string;
  /** How it fails; null as above. */
  readonly cause?: CauseRow | null;
  readonly checked: number | null;
  readonly changed: number | null;
  /** In the newest DNS answer. */
  readonly inDns: boolean;
  /** What failed through the exit (the alternative route); null: nothing known, or it worked. */
  readonly exitReason: string | null;
  /** It goes through the tunnel now. */
  readonly rerouted: boolean;
}

export interface CgroupNftHead {
  /** Units beyond those in `units`. */
  readonly more: number;
  /** Rules whose unit does not run now, as `UNIT (file:line)`. */
  readonly waiting: readonly string[];
  readonly table: string;
  readonly journal: 'read' | 'lost' | 'unused';
}

export interface UnitRow {
  /** Path of the cgroup. */
  readonly id: string;
  /** Its last part: the unit. */
  readonly unit: string;
  readonly groups: readonly string[];
  /** Rules as `file:line`; `lacking`: those that are not in force. */
  readonly rules: readonly string[];
  readonly lacking: readonly string[];
  /** When it was in the kernel; null: not yet. */
  readonly since: number | null;
  /** Milliseconds that the rule was there before the process; negative: too late; null: not known. */
  readonly margin: number | null;
  /** `of`: `group NAME`, or `file:line`. */
  readonly counters: readonly { readonly of: string; readonly packets: number; readonly bytes: number }[];
}

export interface DyndnsHead {
  readonly listening: string;
  readonly total: number;
  /** What became of packets since the start, by kind. */
  readonly packets: Readonly<Record<string, number>>;
}

export interface NameRow {
  readonly id: string;
  readonly zone: string;
  readonly name: string;
  readonly address: string;
  /** Ids of the keys that may move it. */
  readonly keys: readonly string[];
  /** The newest packet of these keys; null: none was heard. */
  readonly heardAt: number | null;
}

export interface DnstestHead {
  /** What is asked for; null: there are no resolvers. */
  readonly name: string | null;
  /** Where the test zone's server listens; null: there is none here. */
  readonly serves: readonly string[] | null;
  /** Upper bounds of `ResolverRow.histogram`'s classes, milliseconds. */
  readonly bounds: readonly number[];
}

export interface ResolverRow {
  /** The resolver's name, as GET /api/latency takes it. */
  readonly id: string;
  readonly phase: 'unknown' | 'well' | 'doubtful' | 'failing' | 'not judged';
  readonly failingSince: number | null;
  readonly reason: string | null;
  /** Of the last check, milliseconds. */
  readonly latency: number | null;
  readonly checks: number;
  /** Right answers since the start by `bounds`, with one more class for those above all. */
  readonly histogram: readonly number[];
  /** Wrong ones since the start, by kind. */
  readonly failures: Readonly<Record<string, number>>;
  readonly cures: readonly string[];
  /** How many of `cures` were tried since it was calm. */
  readonly tried: number;
  readonly restUntil: number | null;
}

/**
 * `tunnelled`: at least one address. `failing`: not on the direct route, and goes there all the same. `down`: on every route.
 * `dropped`: no exit works for it, and it must not go direct.
 */
export type StripState = 'direct' | 'failing' | 'tunnelled' | 'down' | 'unknown' | 'dropped';

export interface Strips {
  /** Midnight UTC: where every strip begins. They end now. */
  readonly since: number;
  readonly days: number;
  /** What the second number of each interval means: an index into this. */
  readonly states: readonly StripState[];
  /** What the third means; the first is the empty text. */
  readonly reasons: readonly string[];
  /** By name. */
  readonly strips: readonly Strip[];
  /** Hosts that are not among `strips`. */
  readonly more: number;
  /** Why there is no history, or only a part of it; empty: all is well. */
  readonly problem: string;
}

export interface Strip {
  readonly host: string;
  /**
   * Flat: three numbers for each interval: minutes from `since`, index of the state, index of the reason. The first begins at 0;
   * each ends where the next begins, the last one now. What changes back within the same minute is not in it.
   */
  readonly intervals: readonly number[];
}

/** In columns, as uPlot takes them: every array is as long as `times`. */
export interface Latency {
  readonly resolver: string;
  /** Seconds since the epoch (as uPlot counts): where each slot begins; without a gap from the first to the last. */
  readonly times: readonly number[];
  /** Seconds of a slot. */
  readonly step: number;
  /** Milliseconds, estimated within classes; null: no right answer in this slot. */
  readonly median: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  /** Right answers. */
  readonly answers: readonly number[];
  /** Wrong ones, by kind. */
  readonly failures: Readonly<Record<string, readonly number[]>>;
  /** Why there is no history; empty: all is well. */
  readonly problem: string;
}

export interface EventRow {
  readonly at: number;
  /** `netsteward` or a module's name. */
  readonly module: string;
  /** Stable, such as `service-rerouted`. */
  readonly code: string;
  readonly subject: string;
  /** The whole sentence, for people. */
  readonly text: string;
}

export interface Events {
  /** The newest first. */
  readonly events: readonly EventRow[];
}

export interface CheckRequest {
  readonly host: string;
}

export interface CheckAnswer {
  /** What happens now, for people. */
  readonly text: string;
}
