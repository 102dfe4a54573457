/** Which exit a service takes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  chooseExit,
  type ExitStanding,
  type ExitView,
  isDoubted,
  seen,
  standingOf,
  unfailed,
  viewTri,
} from '../../../src/nbrpc/exit-choice.ts';

/** `+` worked, `-` failed; the newest last. */
function view(text: string): ExitView | undefined {
  let made: ExitView | undefined;
  for (const [index, letter] of text.split('').entries())
    made = seen(made, letter === '+', letter === '+' ? '' : 'x', index);
  return made;
}

const views = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(texts).flatMap(([name, text]) => {
      const made = view(text);
      return made === undefined ? [] : [[name, made]];
    }),
  );

describe('what an exit says of an address', () => {
  it('is decided by three failures of the last four results', () => {
    const said = ['', '+', '-', '--', '+--', '+---', '---', '---+', '--++', '++++---'].map((text) =>
      viewTri(view(text)),
    );
    assert.deepEqual(said, [null, true, null, null, true, false, false, false, true, false]);
  });

  it('is doubted by one failure, until it is decided', () => {
    assert.deepEqual(
      ['+', '+-', '+--', '+---', '+-+'].map((text) => isDoubted(view(text))),
      [false, true, true, false, false],
    );
  });

  it('keeps the age of what it says, and no failure over a time in which none counted', () => {
    assert.deepEqual([view('+++')?.since, view('+---')?.since, view('+---')?.at], [0, 3, 3]);
    const left = view('+-+-');
    assert.deepEqual(left && unfailed(left, 9), { results: [true, true], at: 9, since: 9, reason: '' });
  });
});

describe('an exit for a service', () => {
  it('works where no address fails that works through another one', () => {
    const standing = (...addresses: Readonly<Record<string, string>>[]): ExitStanding =>
      standingOf('a', addresses.map(views));
    assert.equal(standing({}), 'unknown');
    assert.equal(standing({ a: '+' }, {}), 'works');
    assert.equal(standing({ a: '+' }, { a: '---', b: '+' }), 'partly');
    assert.equal(standing({ a: '+' }, { a: '---', b: '---' }), 'works', 'that address is down everywhere');
    assert.equal(standing({ a: '---' }), 'fails');
  });

  const choose = (now: string | undefined, standings: Readonly<Record<string, ExitStanding>>): string =>
    chooseExit(Object.keys(standings), now, (name) => standings[name] ?? 'unknown');

  it('is the first one that works, at first', () => {
    assert.equal(choose(undefined, { a: 'fails', b: 'works', c: 'works' }), 'b');
    assert.equal(choose(undefined, { a: 'unknown', b: 'works' }), 'b');
    assert.equal(choose(undefined, { a: 'unknown', b: 'unknown' }), 'a');
    assert.equal(choose(undefined, { a: 'partly', b: 'unknown' }), 'a');
  });

  it('stays as long as it works, whatever others do', () => {
    assert.equal(choose('b', { a: 'works', b: 'works' }), 'b');
    assert.equal(choose('b', { a: 'works', b: 'unknown' }), 'b');
    assert.equal(choose('b', { a: 'works', b: 'partly' }), 'a');
    assert.equal(choose('b', { a: 'works', b: 'fails' }), 'a');
  });

  it('is left when it is dead, and none where all are', () => {
    assert.equal(choose('b', { a: 'unknown' }), 'a');
    assert.equal(choose('b', { a: 'fails' }), '');
    assert.equal(choose('b', {}), '');
  });

  it('stays for a service that works nowhere', () => {
    assert.equal(choose('b', { a: 'fails', b: 'fails' }), 'b');
  });
});
