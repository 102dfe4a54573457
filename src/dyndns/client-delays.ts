/** How long a client waits between redundant packets: `n`, or `n:op[:arg]` with an operator of Python's (pure). */
import type { Read } from './keys.ts';

type Operator = (left: number, right: number) => number;

const floored = (left: number, right: number): number => left - right * Math.floor(left / right);
const truth = (value: boolean): number => (value ? 1 : 0);

// The functions of docs.python.org/3/library/operator.html that make a number of numbers; div is Python 2's.
const binary: Readonly<Record<string, Operator>> = {
  add: (left, right) => left + right,
  sub: (left, right) => left - right,
  mul: (left, right) => left * right,
  div: (left, right) => left / right,
  truediv: (left, right) => left / right,
  floordiv: (left, right) => Math.floor(left / right),
  // Python's remainder has the sign of the divisor, ECMAScript's that of the dividend.
  mod: floored,
  pow: (left, right) => left ** right,
  lt: (left, right) => truth(left < right),
  le: (left, right) => truth(left <= right),
  eq: (left, right) => truth(left === right),
  ne: (left, right) => truth(left !== right),
  ge: (left, right) => truth(left >= right),
  gt: (left, right) => truth(left > right),
};

/** Of whole numbers only. A shift is not that of ECMAScript, which has 32 bits. */
const binaryWhole: Readonly<Record<string, Operator>> = {
  lshift: (left, right) => (right < 0 ? Number.NaN : left * 2 ** right),
  rshift: (left, right) => (right < 0 ? Number.NaN : Math.floor(left / 2 ** right)),
  and: (left, right) => Number(BigInt(left) & BigInt(right)),
  or: (left, right) => Number(BigInt(left) | BigInt(right)),
  xor: (left, right) => Number(BigInt(left) ^ BigInt(right)),
};

const unary: Readonly<Record<string, (value: number) => number>> = {
  neg: (value) => -value,
  pos: (value) => value,
  abs: Math.abs,
  not: (value) => truth(value === 0),
  truth: (value) => truth(value !== 0),
};

const unaryWhole: Readonly<Record<string, (value: number) => number>> = {
  inv: (value) => -value - 1,
  invert: (value) => -value - 1,
  index: (value) => value,
};

/** Seconds: the delay after the first packet, then after the second, … without end. */
export type Delays = () => Generator<number, never>;

/**
 * `10:sub:1` is 10, 9, 8, …: each delay is op(the one before, arg), as the original documents it (it computes op(arg, the one
 * before)). A delay below zero is no wait; the sequence goes on from it all the same.
 */
export function readDelays(text: string): Read<Delays> {
  const [start = '', name, argument, ...more] = text.split(':');
  const first = readNumber(start);
  if (first === undefined || more.length > 0) return problem(text, 'write it as SECONDS, or SECONDS:OPERATOR[:NUMBER]');
  if (name === undefined) return { value: sequence(first, (value) => value) };
  const right = argument === undefined ? undefined : readNumber(argument);
  if (argument !== undefined && right === undefined) return problem(text, `${argument} is no number`);
  const step = readStep(name, right);
  return typeof step === 'string' ? problem(text, step) : { value: sequence(first, step) };
}

/**
 * The waits of a round, in milliseconds. What cannot be computed (a division by zero, bits of a fraction) is a problem,
 * and so is a wait that nobody would see the end of.
 */
export function waitsFor(packets: number, delays: Delays): Read<readonly number[]> {
  const waits: number[] = [];
  const values = delays();
  while (waits.length < packets - 1) {
    const { value } = values.next();
    const place = `the delay after packet ${waits.length + 1}`;
    if (!Number.isFinite(value)) return { problem: `${place} has no value` };
    if (value > longest) return { problem: `${place} would be ${value} s; at most ${longest} are waited` };
    waits.push(Math.max(0, value) * 1000);
  }
  return { value: waits };
}

/** Seconds of a day. */
const longest = 86_400;

function problem(text: string, why: string): { readonly problem: string } {
  return { problem: `the delay ${text}: ${why}` };
}

/** As float() of Python takes it, without infinities. */
function readNumber(text: string): number | undefined {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** `add`, `__add__`, `iadd`, `__iadd__`, `and_`, `__and__` and so on name one function each. */
function readStep(name: string, right: number | undefined): ((value: number) => number) | string {
  const plain = name.replace(/^__(\w+)__$/, '$1').replace(/^(and|or|not)_$/, '$1');
  const inPlace = /^i(?=add|sub|mul|div|truediv|floordiv|mod|pow|lshift|rshift|and|or|xor)/;
  const bare = Object.hasOwn(unary, plain) || Object.hasOwn(unaryWhole, plain) ? plain : plain.replace(inPlace, '');
  const one = own(unary, bare) ?? ofWhole(own(unaryWhole, bare));
  const two = own(binary, bare) ?? ofWhole(own(binaryWhole, bare));
  if (one !== undefined) return right === undefined ? (value) => one(value) : `${name} takes no number`;
  if (two === undefined) return `${name} is no operator that is known; use add, sub, mul, truediv, pow, …`;
  return right === undefined ? `${name} needs a number, as in 1:${name}:2` : (value) => two(value, right);
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The same, but not a number where an operand is none of Python's int. */
function ofWhole<Operands extends number[]>(
  operator: ((...operands: Operands) => number) | undefined,
): ((...operands: Operands) => number) | undefined {
  if (operator === undefined) return undefined;
  return (...operands) => (operands.every(Number.isSafeInteger) ? operator(...operands) : Number.NaN);
}

function sequence(first: number, step: (value: number) => number): Delays {
  return function* () {
    for (let value = first; ; value = step(value)) yield value;
  };
}
