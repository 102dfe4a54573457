/** A year of checks behind the rebinding filters of unbound and dnsmasq: drawn our way, and the way of the original. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type DrawnName,
  drawLetters,
  drawName,
  type ExpectedAddresses,
  type RandomBytes,
} from '../../../src/dnstest/draw.ts';
import { judge } from '../../../src/dnstest/judge.ts';

/** OpenSSL's hash in place of the keyed one: as even, and quicker by far, which a year of checks needs. */
const hash: ExpectedAddresses = {
  address(name, family) {
    const digest = createHash('blake2s256').update(name).digest();
    // Of an IPv6 address the first group alone decides about a filter, but for ::ffff:0:0/96, which no year ever sees.
    return family === 4 ? digest.subarray(0, 4).join('.') : `${digest.readUInt16BE(0).toString(16)}:1::1`;
  },
};
const template = { text: '@.test.example.org', places: 1 };

/** The same year at each run (xorshift32). */
function seeded(seed: number): RandomBytes {
  let state = seed;
  return (count) =>
    Uint8Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 24;
    });
}

/** Written down anew from the two programs' documents, not from the ranges that the draw avoids. */
const bytesOf = (address: string): readonly number[] => address.split('.').map(Number);

/** unbound.conf(5), private-address: 10/8, 172.16/12, 192.168/16, 169.254/16; and for IPv6 fd00::/8, fe80::/10, ::ffff:0:0/96. */
function unboundDrops(address: string): boolean {
  if (address.includes(':')) {
    const group = Number.parseInt(address, 16) || 0;
    return group >> 8 === 0xfd || (group & 0xffc0) === 0xfe80 || address.startsWith('::ffff:');
  }
  const [a = 0, b = 0] = bytesOf(address);
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** dnsmasq(8), --stop-dns-rebind: the same and 0/8, 127/8. */
function dnsmasqDrops(address: string): boolean {
  if (unboundDrops(address)) return true;
  const [a = 0] = bytesOf(address);
  return !address.includes(':') && (a === 0 || a === 127);
}

const filters = { unbound: unboundDrops, dnsmasq: dnsmasqDrops } as const;

/** Draws that are made once, and seen through each filter. */
type Draws = (index: number) => DrawnName;

function remember(draw: (random: RandomBytes) => DrawnName): Draws {
  const random = seeded(20_261_121);
  const drawn: DrawnName[] = [];
  return (index) => {
    const one = drawn[index] ?? draw(random);
    drawn[index] = one;
    return one;
  };
}

const theirWay = remember((random) => {
  const name = `${drawLetters(12, random)}.test.example.org`;
  return { name, expected: hash.address(name, 4), filtered: undefined };
});
const ourWay = {
  4: remember((random) => drawName(template, 4, hash, random)),
  6: remember((random) => drawName(template, 6, hash, random)),
} as const;

const knows = (): undefined => undefined;

interface Year {
  readonly checks: number;
  readonly failures: number;
  /** Of a resolver that is well. */
  readonly restarts: number;
}

/** `-c 150:6:100` as contracts/dnstest.md tells it: after a failure six more, and a failure among those after a success, or six in a row, is the end. */
function year(draws: Draws, family: 4 | 6, drops: (address: string) => boolean): Year {
  let [checks, failures, restarts] = [0, 0, 0];
  const right = (): boolean => {
    const drawn = draws(checks);
    const addresses = drops(drawn.expected) ? [] : [drawn.expected];
    const { name, expected, filtered } = drawn;
    const answer = { kind: 'addresses', addresses } as const;
    const failure = judge({
      name,
      family,
      expected,
      filtered,
      any: false,
      answer,
      elapsed: 5,
      slow: undefined,
      knows,
      can: [],
    });
    checks++;
    if (failure !== undefined) failures++;
    return failure === undefined;
  };
  const recovers = (): boolean => {
    let succeeded = false;
    for (let retry = 0; retry < 6; retry++) {
      if (right()) succeeded = true;
      else if (succeeded) return false;
    }
    return succeeded;
  };
  const seconds = 365 * 86_400;
  for (let at = 0; at < seconds; at += 150) {
    if (right()) continue;
    at += 100;
    if (!recovers()) restarts++;
  }
  return { checks, failures, restarts };
}

for (const [name, drops] of Object.entries(filters)) {
  for (const family of [4, 6] as const) {
    const type = family === 4 ? 'A' : 'AAAA';
    test(`a resolver behind ${name}'s filter is not accused once in a year of ${type} checks`, () => {
      const { checks, failures, restarts } = year(ourWay[family], family, drops);
      assert.ok(checks > 210_000);
      assert.deepEqual({ failures, restarts }, { failures: 0, restarts: 0 });
    });
  }
}

test('names drawn as the original draws them have healthy resolvers restarted many times a year', (t) => {
  const figures = Object.entries(filters).map(([name, drops]) => ({ name, ...year(theirWay, 4, drops) }));
  for (const { name, checks, failures, restarts } of figures) {
    t.diagnostic(`${name}: ${failures} of ${checks} checks fail, ${restarts} restarts of a healthy resolver a year`);
    assert.ok(failures > 500, name);
    assert.ok(restarts >= 5, name);
  }
});
