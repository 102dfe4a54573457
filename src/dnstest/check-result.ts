/** What one check of one resolver came to: the word between who asks (prober) and who acts (watchdog). */

/**
 * Why a check failed. `wrong`: an address that is not the name's (hijack); `stripped`: empty, where the expected address is one
 * that rebinding filters drop, and the zone's own server, if it was asked, gives it; `bogus`: SERVFAIL that is right with CD=1
 * (RFC 4035 section 3.2.2); `stale`: the address of another name or key; `truncated`: TC=1 and no TCP; `partial`: only some of
 * the answers are right; `slow`: right, but later than the limit; `unreachable`: nothing listens (ICMP, TCP reset), or no route;
 * `malformed`: bytes that are no answer to the question; `tls`, `http`: the transport failed above TCP; `local`: this machine
 * itself could not ask (no descriptor, no memory), which says nothing of the resolver; `other`: any other response code.
 */
export type FailureKind =
  | 'timeout'
  | 'unreachable'
  | 'refused'
  | 'servfail'
  | 'bogus'
  | 'nxdomain'
  | 'empty'
  | 'stripped'
  | 'wrong'
  | 'stale'
  | 'partial'
  | 'truncated'
  | 'malformed'
  | 'slow'
  | 'tls'
  | 'http'
  | 'local'
  | 'other';

export interface CheckFailure {
  readonly kind: FailureKind;
  /** For people, one sentence without a dot: what was asked, what came. */
  readonly text: string;
}

export interface CheckResult {
  /** When it was begun (monotonic clock, ms). */
  readonly at: number;
  /** Milliseconds. */
  readonly elapsed: number;
  /** The name that was asked. */
  readonly name: string;
  /** Undefined: the answer was right and in time. */
  readonly failure: CheckFailure | undefined;
  /** What the zone's own server said to the same question, where it is known and was asked (after a failure): undefined otherwise. */
  readonly control: 'right' | 'failed' | undefined;
}

/**
 * Whom a failed check speaks against: the one place that says so, for `check` and `watch` and the supervisor alike. Undefined:
 * it did not fail. `local`: this machine could not ask. `zone`: the zone's own server was asked and is not right either. That
 * holds for a wrong address too: it proves that the network is up, but not that it is wrong, because a zone that is served
 * with another key gives just such addresses, and no restart of a resolver mends that. Where the right address came as well
 * (`partial`, `bogus`), the zone has shown that it is right, whatever its server says now.
 */
export function blameOf({ failure, control }: CheckResult): 'resolver' | 'zone' | 'local' | undefined {
  if (failure === undefined) return undefined;
  if (failure.kind === 'local') return 'local';
  return control === 'failed' && failure.kind !== 'partial' && failure.kind !== 'bogus' ? 'zone' : 'resolver';
}

/** Whether the network is up by definition: an address came, though a wrong one. A guard must not hide it. */
export function provesNetwork({ failure }: CheckResult): boolean {
  return failure !== undefined && ['wrong', 'stale', 'partial', 'slow', 'bogus'].includes(failure.kind);
}
