/** One check of one host at one address, over the network. */
import { printable } from '../core/printable.ts';
import type { HttpProbe, ProbeOutcome } from '../system/ports.ts';
import { describeCodes, expectationOf } from './expectation.ts';
import type { CheckResult, CheckSpec } from './model.ts';
import { causeOf } from './reason.ts';

export interface CheckTarget {
  readonly host: string;
  readonly address: string;
  readonly check: CheckSpec;
  /** Through an exit: the own address that leads there; absent: the direct route. */
  readonly source?: string;
}

/** Where results of checks come from: the network, or a rehearsal's file. Only for checks that are to be run. */
export interface CheckSource {
  /** Rejects only for an aborted signal. `codes`: the expected ones. */
  check(target: CheckTarget, codes: ReadonlySet<number>, signal: AbortSignal): Promise<CheckResult>;
}

/** What needs no run is decided here; the rest goes to the source. */
export function checkTarget(source: CheckSource, target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  const expectation = expectationOf(target.check);
  switch (expectation.kind) {
    case 'never':
      return Promise.resolve({ kind: 'fail', reason: 'na' });
    case 'always':
      return Promise.resolve({ kind: 'ok' });
    case 'unknown':
      return Promise.resolve({ kind: 'none' });
    case 'http':
      return source.check(target, expectation.codes, signal);
  }
}

export interface ProbeSettings {
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes. */
  readonly bodyLimit: number;
}

export interface ProbeRules {
  /** See `staysHome()`; absent: no. */
  readonly sameSite?: boolean;
}

/**
 * Over plain HTTP anyone on the way can send a redirect, with a code that is fine by default: one to another site is a failure
 * then, unless the list says which code is right.
 */
export function staysHome({ type, result }: CheckSpec): boolean {
  return type === 'http' && result === '';
}

export class ProbeSource implements CheckSource {
  readonly #probe: HttpProbe;
  readonly #settings: ProbeSettings;
  readonly #sameSite: boolean;

  constructor(probe: HttpProbe, settings: ProbeSettings, { sameSite = false }: ProbeRules = {}) {
    this.#probe = probe;
    this.#settings = settings;
    this.#sameSite = sameSite;
  }

  async check(target: CheckTarget, codes: ReadonlySet<number>, signal: AbortSignal): Promise<CheckResult> {
    const { host, address, check, source } = target;
    const outcome = await this.#probe.probe(
      {
        scheme: check.type === 'http' ? 'http' : 'https',
        // A trailing dot is not part of the name in a certificate or in a Host header (RFC 6066 §3).
        host: host.endsWith('.') ? host.slice(0, -1) : host,
        address,
        ...(source === undefined ? {} : { source }),
        path: requestPath(check.path),
        ...this.#settings,
      },
      signal,
    );
    const result = judge(outcome, codes);
    const cause = causeOf(outcome, { host, codes, sameSite: this.#sameSite && staysHome(check) });
    if (cause.kind === 'none') return result;
    const reason = result.kind === 'fail' ? result.reason : 'redirect to another site';
    return { kind: 'fail', reason, cause };
  }
}

/** Characters that cannot stand in a request line are percent-encoded as UTF-8 (RFC 3986 §2.1). */
export function requestPath(path: string): string {
  return path.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}

/** The verdict of a probe, with the reason as people read it. */
export function judge(outcome: ProbeOutcome, codes: ReadonlySet<number>): CheckResult {
  switch (outcome.kind) {
    case 'local-failure':
      return { kind: 'untried', detail: short(outcome.detail) };
    case 'answer':
      if (codes.has(outcome.status)) return { kind: 'ok' };
      return { kind: 'fail', reason: `status ${outcome.status}, expected ${describeCodes(codes)}` };
    case 'failure': {
      const { stage, status } = outcome;
      const reason = short(outcome.reason);
      if (status !== undefined && !codes.has(status)) {
        return { kind: 'fail', reason: `status ${status}, expected ${describeCodes(codes)}` };
      }
      return { kind: 'fail', reason: reason === 'timeout' ? `timeout on ${stage}` : `${stage} ${reason}` };
    }
  }
}

function short(text: string): string {
  const shown = printable(text);
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}
