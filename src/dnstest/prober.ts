/** Checks one resolver: draws a name, asks for it, and asks again where that tells what is broken. */
import type { Clock } from '../core/clock.ts';
import type { AddressLookup, DnsServer, DnsTransport } from '../system/dns-client-ports.ts';
import type { CheckResult } from './check-result.ts';
import { type DrawnName, drawName, type ExpectedAddresses, type RandomBytes } from './draw.ts';
import { type Evidence, judge, judgeControl, nextQuestion, type SecondQuestion } from './judge.ts';
import type { NameTemplate } from './name-template.ts';
import { type ProbeAnswer, readLookup } from './probe-answer.ts';
import { askServer } from './probe-ask.ts';
import type { ResolverChoice } from './transport-address.ts';

export interface ProberPorts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly dns: DnsTransport;
  readonly libc: AddressLookup;
}

export interface ProberOptions {
  readonly resolver: ResolverChoice;
  readonly template: NameTemplate;
  /** Of the addresses that are asked for; the resolver's own does not matter. */
  readonly family: 4 | 6;
  readonly hash: ExpectedAddresses;
  /** Of keys that were in use before: their addresses are told as such. */
  readonly oldHashes?: readonly ExpectedAddresses[];
  /** One right address among others is enough. */
  readonly any?: boolean;
  /** Milliseconds for each question, and for its second try over TCP with it. */
  readonly timeout: number;
  /** A right answer that takes longer is a failure. Milliseconds; undefined: none is. */
  readonly slow?: number | undefined;
  /** Letters in upper and lower case by chance, against forged answers. Not for libc. */
  readonly mixedCase?: boolean;
  /** The zone's own server, asked after a failure. */
  readonly control?: DnsServer | undefined;
}

/** Milliseconds that a question may take; `last`: nothing is asked after it. */
type Left = (last?: boolean) => number;

/** Names whose address is known when it comes for another one. */
const remembered = 50;

/** Milliseconds that the zone's own server has at least: one that is given too little time makes a broken resolver look well. */
const controlTimeout = 5000;

/** Milliseconds for one question, where nothing else is said. */
const serverTimeout = 5000;
/** libc's own limits are 10 s for one server (resolv.conf(5): 5 s, twice), and what is cut off goes on behind our back. */
const libcTimeout = 30_000;

/** `named`: what somebody has chosen, for servers. Milliseconds. */
export function questionTimeout({ kind }: ResolverChoice, named = serverTimeout): number {
  return kind === 'system' ? libcTimeout : named;
}

/** A check at a time: the next one may begin when the one before has resolved. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #ports: ProberPorts;
  /** By address: the names that were asked before, newest last. */
  readonly #before = new Map<string, string>();

  constructor(options: ProberOptions, ports: ProberPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** The resolver in one form of writing. */
  get label(): string {
    return this.#options.resolver.label;
  }

  /**
   * `within`: milliseconds for all of its questions together. Rejects with the signal's reason when it aborts, and with
   * NetstewardError `dnstest-name`.
   */
  async check(signal: AbortSignal, within = Number.POSITIVE_INFINITY): Promise<CheckResult> {
    const { clock } = this.#ports;
    const { slow, any = false, family } = this.#options;
    const drawn = this.#draw();
    const at = clock.monotonic();
    const left = this.#leftOf(at + within);
    // The time that it waits in line behind questions to other resolvers is not the resolver's.
    let begun: number | undefined;
    const answer = await this.#ask(drawn.name, false, left(), signal, () => {
      begun ??= clock.monotonic();
    });
    const elapsed = clock.monotonic() - (begun ?? at);
    let evidence: Evidence = {
      ...drawn,
      family,
      any,
      answer,
      elapsed,
      slow,
      knows: (address) => this.#owner(address, drawn.name),
      can: this.#secondQuestions(),
    };
    for (let next = nextQuestion(evidence); next !== undefined; next = nextQuestion(evidence)) {
      evidence = { ...evidence, ...(await this.#second(next, drawn, left, signal)) };
    }
    this.#remember(drawn);
    return { at, elapsed, name: drawn.name, failure: judge(evidence), control: judgeControl(evidence) };
  }

  #draw(): DrawnName {
    const { template, family, hash } = this.#options;
    return drawName(template, family, hash, this.#ports.random);
  }

  #secondQuestions(): readonly SecondQuestion[] {
    const { resolver, template, control } = this.#options;
    return [
      ...(resolver.kind === 'server' ? (['unchecked'] as const) : []),
      ...(template.places > 0 ? (['another'] as const) : []),
      ...(control === undefined ? [] : (['control'] as const)),
    ];
  }

  /** What a question to the resolver may take: half of what is left until `end`, where the zone's own server is still to be asked. */
  #leftOf(end: number): Left {
    const { clock } = this.#ports;
    const { control } = this.#options;
    return (last = control === undefined) => Math.max(1, (end - clock.monotonic()) / (last ? 1 : 2));
  }

  async #second(
    question: SecondQuestion,
    { name }: DrawnName,
    left: Left,
    signal: AbortSignal,
  ): Promise<Partial<Evidence>> {
    if (question === 'unchecked') return { unchecked: await this.#ask(name, true, left(), signal) };
    if (question === 'control') return { control: await this.#askControl(name, left(true), signal) };
    const other = this.#draw();
    return { another: { ...other, answer: await this.#ask(other.name, false, left(), signal) } };
  }

  async #ask(
    name: string,
    unchecked: boolean,
    limit: number,
    signal: AbortSignal,
    begun: () => void = () => {},
  ): Promise<ProbeAnswer> {
    const { resolver, family, mixedCase = false } = this.#options;
    const { clock, libc } = this.#ports;
    const timeout = Math.min(this.#options.timeout, limit);
    if (resolver.kind === 'server') {
      const request = { name, family, recursion: true, unchecked, mixedCase, timeout, begun };
      return askServer(this.#ports, resolver.server, request, signal);
    }
    const from = clock.monotonic();
    const outcome = await libc.lookup(name, family, timeout, signal);
    return readLookup(outcome, clock.monotonic() - from);
  }

  async #askControl(name: string, limit: number, signal: AbortSignal): Promise<ProbeAnswer> {
    const { control, family, timeout } = this.#options;
    if (control === undefined) throw new Error('the zone’s own server is not known');
    const patience = Math.min(Math.max(timeout, controlTimeout), limit);
    const request = { name, family, recursion: false, unchecked: false, mixedCase: false, timeout: patience };
    return askServer(this.#ports, control, request, signal);
  }

  /** Whose an address is, but for the name that was asked under the key in use. */
  #owner(address: string, name: string): string | undefined {
    const { oldHashes = [], family } = this.#options;
    const key = oldHashes.findIndex((hash) => hash.address(name, family) === address);
    if (key >= 0) return oldHashes.length === 1 ? 'this name under the old key' : `this name under old key ${key + 1}`;
    const before = this.#before.get(address);
    return before === undefined ? undefined : `${before}, a name that was asked before`;
  }

  #remember({ name, expected }: DrawnName): void {
    this.#before.delete(expected);
    this.#before.set(expected, name);
    const [oldest] = this.#before.keys();
    if (oldest !== undefined && this.#before.size > remembered) this.#before.delete(oldest);
  }
}
