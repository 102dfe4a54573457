/** Log lines for people: on a terminal and in the journal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalLine, type LogLine, logSentence, prettyLine } from '../../../src/cli/log-look.ts';

const time = '2026-01-02T03:04:05.678Z';
const line = (fields: Partial<LogLine>): LogLine => ({ level: 'info', time, event: 'thing', ...fields });
/** Without the time, which depends on the zone. */
const pretty = (fields: Partial<LogLine>): string =>
  prettyLine(line(fields), false).replace(/^\d\d:\d\d:\d\d\.678 /, '');

test('a flip reads as a sentence: who, from where to where, why, which addresses', () => {
  const flip = { event: 'flip', module: 'nbrpc', host: 'a.example', from: 'direct', to: 'tunnel', reason: 'timeout' };
  assert.equal(
    pretty({ ...flip, addresses: ['1.2.3.4', '2001:db8::1'] }),
    'info  nbrpc: a.example: direct → tunnel (timeout): 1.2.3.4, 2001:db8::1',
  );
  const over = { ...flip, from: 'tunnel', exit: 'wg1', reason: 'through exit wg0: timeout', addresses: ['1.2.3.4'] };
  assert.match(pretty(over), /a\.example: tunnel → tunnel wg1 \(through exit wg0: timeout\): 1\.2\.3\.4$/);
  assert.match(pretty({ ...flip, addresses: ['1', '2', '3', '4', '5', '6'] }), /: 1, 2, 3, 4 and 2 more$/);
});

test('any other event is its name and key=value, with quotes where a value needs them', () => {
  assert.equal(
    pretty({ level: 'warn', count: 3, path: '/a/b', words: 'two words', list: ['a', 'b c'], deep: { x: 1 } }),
    'warn  thing count=3 path=/a/b words="two words" list=a,"b c" deep={"x":1}',
  );
});

test('a warning is shown with its remedy', () => {
  const warning = { event: 'warning-raised', code: 'x', subject: 'y', text: 'it is full', remedy: 'Empty it.' };
  assert.equal(pretty({ ...warning, level: 'error' }), 'error it is full. Empty it.');
});

test('no value, key or event can steer the terminal', () => {
  const evil = '\x1b]0;x\x07\u202e\n<0>fake';
  for (const text of [
    pretty({ event: evil }),
    pretty({ value: evil, [evil]: 1, list: [evil], deep: { [evil]: evil }, module: evil }),
    pretty({ event: 'flip', host: evil, from: evil, to: evil, reason: evil, addresses: [evil] }),
    pretty({ error: { message: evil, stack: 'Error: x' } }),
    journalLine(line({ value: evil })),
    logSentence(JSON.stringify(line({ value: evil }))),
  ]) {
    assert.doesNotMatch(text, /[\p{Cc}\u202e]/u);
  }
});

test('an unforeseen error shows its stack on lines of its own, a reason is not said twice', () => {
  const error = { message: 'boom', stack: 'Error: boom\n    at one\n    at two' };
  assert.equal(pretty({ level: 'error', error }), 'error thing error=boom\n    at one\n    at two');
  assert.equal(pretty({ level: 'error', reason: 'boom', error }), 'error thing reason=boom\n    at one\n    at two');
  assert.equal(pretty({ level: 'error', error: { code: 'x', message: 'foreseen' } }), 'error thing error=foreseen');
});

test('journal lines carry the priority of sd-daemon(3), each line of a stack too', () => {
  const priorities = (['debug', 'info', 'warn', 'error'] as const).map((level) => journalLine(line({ level })));
  assert.deepEqual(priorities, ['<7>thing', '<6>thing', '<4>thing', '<3>thing']);
  const error = { message: 'boom', stack: 'Error: boom\n    at one' };
  assert.equal(
    journalLine(line({ level: 'error', module: 'nbrpc', error })),
    '<3>nbrpc: thing error=boom\n<3>    at one',
  );
});

test('colours are there only when they are asked for', () => {
  assert.ok(prettyLine(line({}), true).includes('\x1b[32minfo \x1b[0m'));
  assert.ok(!prettyLine(line({}), false).includes('\x1b'));
});
