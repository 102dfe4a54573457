/** The second look at what fails: another name at the same address, the same name at another resolver; never in the way of checks. */
import type { HttpProbe, ProbeOutcome, ProbeRequest, Resolver } from '../system/ports.ts';
import { canonicalAddress, familyOf, isPublicAddress } from './address.ts';
import { requestPath, staysHome } from './checker.ts';
import { expectationOf } from './expectation.ts';
import type { CheckSpec, Family } from './model.ts';
import { type Cause, cause, causeOf, listed } from './reason.ts';
import { causeSentence } from './reason-text.ts';

/** A resolver with its name for people. */
export interface Opinion extends Resolver {
  readonly label: string;
}

export interface LookPorts {
  /** Over the direct route, as all checks. */
  readonly probe: HttpProbe;
  /** The first that answers counts; may be empty. */
  readonly opinions: readonly Opinion[];
}

export interface LookSettings {
  /** Milliseconds. */
  readonly timeout: number;
  readonly resolveTimeout: number;
  /** Bytes. */
  readonly bodyLimit: number;
  /** A name that nobody blocks; whether it is served at an address is no matter. */
  readonly neutralName: string;
}

/** A failing address of a host. */
export interface Suspect {
  readonly host: string;
  readonly address: string;
  readonly check: CheckSpec;
  /** What the newest check said, not what a look made of it. */
  readonly cause: Cause;
  /** It is in the newest answer of the usual resolver: else that has nothing to answer for. */
  readonly current: boolean;
  /** Whether it works through an exit; undefined: nobody knows. */
  readonly elsewhere: boolean | undefined;
}

/** What the second resolvers say of a name; undefined: none of them answered. */
export interface Said {
  readonly label: string;
  /** Public ones, canonical; empty: the name has none. */
  readonly addresses: readonly string[];
  readonly exists: boolean;
}

/** Which look can say more of a failure; undefined: none (pure). */
export function lookFor(suspect: Suspect): 'name' | 'resolver' | undefined {
  const { check, current, elsewhere } = suspect;
  const { kind, code } = suspect.cause;
  const mute = code === 'reset' || code === 'closed';
  if (kind === 'tls' && (code === 'tls-silent' || mute)) return 'name';
  if (kind === 'http' && check.type === 'http' && (code === 'silent' || mute)) return 'name';
  // An address that works by another way is the service's own; and so is one that has its certificate.
  if (!current || elsewhere === true) return undefined;
  const unproven = kind === 'connect' || kind === 'tls' || check.type === 'http';
  return unproven && kind !== 'name' && kind !== 'none' ? 'resolver' : undefined;
}

/** `outcome`: of the same address under the neutral name (pure). */
export function judgeOtherName(was: Cause, outcome: ProbeOutcome, neutral: string): Cause {
  if (outcome.kind === 'local-failure') return was;
  const symptom = causeSentence(was).replace(/^\w+: /, '');
  if (was.kind === 'http') return spokeHttp(outcome) ? cause('http', 'host', symptom) : was;
  if (was.kind !== 'tls') return was;
  if (spokeTls(outcome)) return cause('tls', 'sni', symptom);
  return withMore(was, `whatever the name, ${neutral} too`);
}

/** The same with more to tell. */
function withMore(was: Cause, more: string): Cause {
  const { detail } = cause(was.kind, was.code as never, was.detail === '' ? more : `${was.detail}; ${more}`);
  return { ...was, detail };
}

function spokeHttp(outcome: ProbeOutcome): boolean {
  return outcome.kind === 'answer' || (outcome.kind === 'failure' && outcome.stage === 'body');
}

function spokeTls(outcome: ProbeOutcome): boolean {
  if (outcome.kind !== 'failure') return outcome.kind === 'answer';
  const { stage, reason, facts } = outcome;
  return (
    stage === 'http' || stage === 'body' || (stage === 'tls' && (reason === 'certificate' || facts?.alert === true))
  );
}

/** Addresses that the second resolver gives in place of the suspect's (pure); empty: it says nothing against it. */
export function otherAddresses({ address }: Suspect, { addresses }: Said): readonly string[] {
  return addresses.includes(address) ? [] : ofFamily(addresses, familyOf(address));
}

function ofFamily(addresses: readonly string[], family: Family): readonly string[] {
  return addresses.filter((address) => familyOf(address) === family);
}

/** Of a name that gave no address; `said`: what the second resolvers say of it (pure). */
export function judgeName(was: Cause, said: Said | undefined): Cause {
  if (was.kind !== 'name') return was;
  if (said === undefined) return was;
  const { label, addresses, exists } = said;
  if (addresses.length > 0) return withMore(was, `${label} answers ${listed(addresses)}`);
  if (!exists && was.code === 'nxdomain') return cause('name', 'no-such-name', label);
  return withMore(was, exists ? `${label} gives no public address either` : `${label} says that there is no such name`);
}

/**
 * What is kept once a check failed again (pure): a look's finding stands while the check shows the same. `stored`: what was
 * known before; `fresh`: what this check said.
 */
export function keepFinding(stored: Cause, fresh: Cause): Cause {
  const mute =
    fresh.code === 'tls-silent' || fresh.code === 'silent' || fresh.code === 'reset' || fresh.code === 'closed';
  if (stored.code === 'sni') return fresh.kind === 'tls' && mute ? stored : fresh;
  if (stored.code === 'host') return fresh.kind === 'http' && mute ? stored : fresh;
  if (stored.code === 'no-such-name') return fresh.code === 'nxdomain' ? stored : fresh;
  if (stored.code === 'foreign-answer') return fresh.kind === 'none' || fresh.kind === 'name' ? fresh : stored;
  const looked = (fresh.kind === 'tls' && mute) || fresh.kind === 'name';
  return looked && stored.kind === fresh.kind && stored.code === fresh.code ? stored : fresh;
}

/** Of other addresses that are tried for one suspect. */
const mostTried = 2;

export class CauseLook {
  readonly #ports: LookPorts;
  readonly #settings: LookSettings;

  constructor(ports: LookPorts, settings: LookSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /** The cause as it is known afterwards: the same one where nothing more was to be learnt. Rejects only for an aborted signal. */
  async look(suspect: Suspect, signal: AbortSignal): Promise<Cause> {
    switch (lookFor(suspect)) {
      case undefined:
        return suspect.cause;
      case 'name': {
        const host = this.#settings.neutralName;
        const outcome = await this.#probe({ ...suspect, host, path: '/' }, signal);
        return judgeOtherName(suspect.cause, outcome, host);
      }
      case 'resolver':
        return this.#compare(suspect, signal);
    }
  }

  /** The same for a name that gave no address (`causeOfName`). */
  async lookName(host: string, was: Cause, signal: AbortSignal): Promise<Cause> {
    return was.kind === 'name' ? judgeName(was, await this.#ask(host, signal)) : was;
  }

  /** Foreign is an answer in whose place another resolver has addresses that work: other ones alone say nothing (CDNs). */
  async #compare(suspect: Suspect, signal: AbortSignal): Promise<Cause> {
    const expectation = expectationOf(suspect.check);
    if (expectation.kind !== 'http' || this.#ports.opinions.length === 0) return suspect.cause;
    const said = await this.#ask(suspect.host, signal);
    if (said === undefined) return suspect.cause;
    for (const address of otherAddresses(suspect, said).slice(0, mostTried)) {
      const { host, check } = suspect;
      const outcome = await this.#probe({ host, check, address, path: check.path }, signal);
      const asked = { host, codes: expectation.codes, sameSite: staysHome(check) };
      const worked = outcome.kind !== 'local-failure' && causeOf(outcome, asked).kind === 'none';
      if (!worked) continue;
      const symptom = causeSentence(suspect.cause);
      return cause(
        'name',
        'foreign-answer',
        `${suspect.address}, ${symptom}; ${said.label} answers ${address}, which works`,
      );
    }
    return suspect.cause;
  }

  async #ask(host: string, signal: AbortSignal): Promise<Said | undefined> {
    for (const opinion of this.#ports.opinions) {
      const outcome = await opinion.resolve({ name: host, timeout: this.#settings.resolveTimeout }, signal);
      const { label } = opinion;
      if (!outcome.ok) {
        if (outcome.kind === 'nxdomain') return { label, addresses: [], exists: false };
        continue;
      }
      const known = outcome.addresses.flatMap((text) => canonicalAddress(text) ?? []);
      const addresses = [...new Set(known.filter(isPublicAddress))].sort();
      return { label, addresses: ([4, 6] as const).flatMap((family) => ofFamily(addresses, family)), exists: true };
    }
    return undefined;
  }

  #probe(
    { host, address, check, path }: Pick<Suspect, 'host' | 'address' | 'check'> & { readonly path: string },
    signal: AbortSignal,
  ): Promise<ProbeOutcome> {
    const { timeout, bodyLimit } = this.#settings;
    const request: ProbeRequest = {
      scheme: check.type === 'http' ? 'http' : 'https',
      host: host.replace(/\.$/, ''),
      address,
      path: requestPath(path),
      timeout,
      bodyLimit,
    };
    return this.#ports.probe.probe(request, signal);
  }
}
