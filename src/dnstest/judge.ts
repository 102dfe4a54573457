/** From what came back, and from the answers to second questions, to why a check failed (pure). */
import type { CheckFailure, FailureKind } from './check-result.ts';
import type { ProbeAnswer } from './probe-answer.ts';

export interface Evidence {
  readonly name: string;
  readonly family: 4 | 6;
  /** The one right address. */
  readonly expected: string;
  /** The range that rebinding filters drop it for. */
  readonly filtered: string | undefined;
  /** One right address among others is enough. */
  readonly any: boolean;
  readonly answer: ProbeAnswer;
  /** Milliseconds until it came. */
  readonly elapsed: number;
  /** A right answer that takes longer is a failure; undefined: none is. Milliseconds. */
  readonly slow: number | undefined;
  /** Whose an address is that is not this name's: another name's or key's that is known. For people. */
  knows(address: string): string | undefined;
  /** Second questions that can be asked: a name server knows CD=1, libc does not; a fixed name has no other beside it. */
  readonly can: readonly SecondQuestion[];
  /** The same with CD=1. */
  readonly unchecked?: ProbeAnswer;
  /** Another random name, whose right address is `expected`. */
  readonly another?: { readonly name: string; readonly expected: string; readonly answer: ProbeAnswer };
  /** The same, from the zone's own server. */
  readonly control?: ProbeAnswer;
}

export type SecondQuestion = 'unchecked' | 'another' | 'control';

/** The next question that would tell more, or undefined when all is known. */
export function nextQuestion(evidence: Evidence): SecondQuestion | undefined {
  const failure = judge(evidence);
  if (failure === undefined) return undefined;
  const open = evidence.can.filter((question) => evidence[question] === undefined);
  const wanted: readonly SecondQuestion[] =
    failure.kind === 'servfail'
      ? ['unchecked', 'control']
      : failure.kind === 'wrong'
        ? ['another', 'control']
        : ['control'];
  return wanted.find((question) => open.includes(question));
}

/** Undefined: the answer was right and in time. */
export function judge(evidence: Evidence): CheckFailure | undefined {
  const { answer, elapsed, slow } = evidence;
  switch (answer.kind) {
    case 'addresses':
      if (answer.addresses.length === 0) return judgeEmpty(evidence, answer.note);
      if (!isRight(evidence, answer)) return judgeAddresses(evidence, answer);
      if (slow === undefined || elapsed <= slow) return undefined;
      return say(evidence, 'slow', `the right address, after ${Math.round(elapsed)} ms (limit ${Math.round(slow)} ms)`);
    case 'code':
      return judgeCode(evidence, answer.code, answer.note);
    case 'truncated':
      return say(evidence, 'truncated', `an answer cut short (TC=1), and over TCP none: ${answer.detail}`);
    case 'failed':
      return say(evidence, answer.how, failureWords[answer.how](answer.detail));
  }
}

/** What the zone's own server said, or undefined where it was not asked. */
export function judgeControl(evidence: Evidence): 'right' | 'failed' | undefined {
  const { control } = evidence;
  if (control === undefined) return undefined;
  return isRight({ ...evidence, any: false }, control) ? 'right' : 'failed';
}

const failureWords: Readonly<Record<Extract<ProbeAnswer, { kind: 'failed' }>['how'], (detail: string) => string>> = {
  timeout: (detail) => `no answer in time: ${detail}`,
  unreachable: (detail) => `nobody to ask: ${detail}`,
  malformed: (detail) => `something that is no answer: ${detail}`,
  tls: (detail) => `no secure connection: ${detail}`,
  http: (detail) => `no answer over HTTP: ${detail}`,
  local: (detail) => `this machine could not ask: ${detail}`,
};

function say({ name, family }: Evidence, kind: FailureKind, what: string): CheckFailure {
  return { kind, text: `${family === 4 ? 'A' : 'AAAA'} of ${name}: ${what}` };
}

/** All of the addresses, or one of them with `any`, are the expected one; none at all is never right. */
function isRight({ expected, any }: Pick<Evidence, 'expected' | 'any'>, answer: ProbeAnswer): boolean {
  if (answer.kind !== 'addresses' || answer.addresses.length === 0) return false;
  const right = (address: string): boolean => address === expected;
  return any ? answer.addresses.some(right) : answer.addresses.every(right);
}

const because = (note: string | undefined): string => (note === undefined ? '' : ` (${note})`);

function judgeEmpty(evidence: Evidence, note: string | undefined): CheckFailure {
  const { filtered, expected } = evidence;
  const none = `no address${because(note)}`;
  if (filtered === undefined || judgeControl(evidence) === 'failed') {
    const still = judgeControl(evidence) === 'right' ? `, though the zone's own server says ${expected}` : '';
    return say(evidence, 'empty', `${none}${still}`);
  }
  return say(evidence, 'stripped', `${none}: ${expected} is in ${filtered}, which filters against rebinding drop`);
}

function judgeAddresses(evidence: Evidence, answer: Extract<ProbeAnswer, { kind: 'addresses' }>): CheckFailure {
  const { expected } = evidence;
  const strange = answer.addresses.filter((address) => address !== expected);
  const listed = listOf(strange);
  const by = answer.alias === undefined ? '' : ` by way of ${answer.alias}`;
  if (strange.length < answer.addresses.length) {
    return say(evidence, 'partial', `${expected}, which is right, and also ${listed}${by}`);
  }
  const owners = strange.map((address) => evidence.knows(address));
  const [owner] = owners;
  if (owner !== undefined && !owners.includes(undefined)) {
    return say(evidence, 'stale', `${listed}, the address of ${owner}; ${expected} is right`);
  }
  const more = toAnyName(evidence, strange);
  return say(evidence, 'wrong', `${listed}${by}${because(answer.note)}; ${expected} is right${more}`);
}

/** A portal or a blocker sends every name to one place. */
function toAnyName({ another }: Evidence, strange: readonly string[]): string {
  if (another?.answer.kind !== 'addresses') return '';
  const same = another.answer.addresses.filter((address) => strange.includes(address));
  return same.length === 0 ? '' : `; everything is answered with ${listOf(same)}: ${another.name} too`;
}

/** A forged answer may have hundreds. */
function listOf(addresses: readonly string[]): string {
  const shown = addresses.slice(0, 4).join(', ');
  return addresses.length > 4 ? `${shown} and ${addresses.length - 4} more` : shown;
}

function judgeCode(evidence: Evidence, code: string, note: string | undefined): CheckFailure {
  if (code === 'SERVFAIL' && evidence.unchecked !== undefined && isRight(evidence, evidence.unchecked)) {
    return say(
      evidence,
      'bogus',
      `SERVFAIL${because(note)}, but the right address with checking disabled (CD=1): DNSSEC validation fails`,
    );
  }
  return say(evidence, codeKinds[code] ?? 'other', `${code}${because(note)}`);
}

const codeKinds: Readonly<Record<string, FailureKind>> = {
  SERVFAIL: 'servfail',
  NXDOMAIN: 'nxdomain',
  REFUSED: 'refused',
};
