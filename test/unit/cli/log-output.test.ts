/** The log as it leaves the process. */
import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { openLog } from '../../../src/cli/log-output.ts';
import { NetstewardError } from '../../../src/core/errors.ts';

function capture(format: 'json' | 'journal' | 'pretty', level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const written: string[] = [];
  const output = openLog({}, (text) => void written.push(text));
  output.configure({ level, format });
  const configure = (settings: Parameters<typeof output.configure>[0]): void => output.configure(settings);
  return { logger: output.logger, configure, written };
}

test('JSON lines have level, time, event and the fields of logger and child', () => {
  const { logger, written } = capture('json');
  logger.child({ module: 'nbrpc' }).warn('thing', { count: 1, big: 10n });
  const { time, ...rest } = JSON.parse(written[0] ?? '') as Record<string, unknown>;
  assert.deepEqual(rest, { level: 'warn', module: 'nbrpc', event: 'thing', count: 1, big: 10 });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('JSON lines hold no raw control character either', () => {
  const { logger, written } = capture('json');
  logger.info('thing', { value: 'a\x9b\x7f\x1b\u202eb\nc' });
  assert.equal(written.length, 1);
  assert.match(written[0] ?? '', /^[^\p{Cc}\u202e]+\n$/u);
  assert.equal((JSON.parse(written[0] ?? '') as { value: string }).value, 'a\x9b\x7f\x1b\u202eb\nc');
});

test('the level holds for children that were made before it changed', () => {
  const { logger, configure, written } = capture('journal', 'warn');
  const child = logger.child({ module: 'nbrpc' });
  child.info('quiet');
  configure({ level: 'debug', format: 'journal' });
  child.debug('loud');
  assert.deepEqual(written, ['<7>nbrpc: loud\n']);
});

test('the look can change while the log is open', () => {
  const { logger, configure, written } = capture('json');
  logger.info('one');
  configure({ level: 'info', format: 'journal' });
  logger.info('two');
  assert.match(written[0] ?? '', /^\{/);
  assert.equal(written[1], '<6>two\n');
});

test('a foreseen error is its code and message, any other one comes with its stack', () => {
  const { logger, written } = capture('json');
  logger.error('a', { error: new NetstewardError('nft-refused', 'no') });
  logger.error('b', { error: new TypeError('bug') });
  const [foreseen, other] = written.map((text) => (JSON.parse(text) as { error: Record<string, string> }).error);
  assert.deepEqual(foreseen, { code: 'nft-refused', message: 'no' });
  assert.equal(other?.message, 'bug');
  assert.match(other?.stack ?? '', /TypeError: bug\n\s+at /);
});

test('without a terminal and without the journal the look is pretty, and plain', () => {
  const written: string[] = [];
  const { logger } = openLog({ NO_COLOR: '1', JOURNAL_STREAM: '0:0' }, (text) => void written.push(text));
  logger.info('thing', { x: 1 });
  assert.match(written[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} info {2}thing x=1\n$/);
});

const isTty = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');

/** Standard error as if it were a terminal, or not, until the end of the test. */
function terminal(t: TestContext, value: boolean): void {
  Object.defineProperty(process.stderr, 'isTTY', { value, configurable: true });
  t.after(() => {
    if (isTty === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
    else Object.defineProperty(process.stderr, 'isTTY', isTty);
  });
}

function written(env: Readonly<Record<string, string>>): string {
  let all = '';
  openLog(env, (text) => {
    all += text;
  }).logger.warn('thing', { x: 1 });
  return all;
}

test('a terminal gets colours, but not where NO_COLOR is set or it is a dumb one', (t) => {
  terminal(t, true);
  const coloured = (env: Readonly<Record<string, string>>): boolean => written(env).includes('\x1b[33mwarn \x1b[0m');
  const plain = (env: Readonly<Record<string, string>>): boolean => !written(env).includes('\x1b');
  assert.ok(coloured({ TERM: 'xterm' }));
  assert.ok(plain({ TERM: 'xterm', NO_COLOR: '1' }));
  assert.ok(plain({ TERM: 'dumb' }));
  // no-color.org: present and not an empty text.
  assert.ok(coloured({ TERM: 'xterm', NO_COLOR: '' }));
  terminal(t, false);
  assert.ok(plain({ TERM: 'xterm' }));
});

test('the journal gets priorities just where standard error is the stream that systemd connected to it', (t) => {
  terminal(t, false);
  const { dev, ino } = fstatSync(2, { bigint: true });
  assert.equal(written({ JOURNAL_STREAM: `${dev}:${ino}` }), '<4>thing x=1\n');
  assert.match(written({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }), /^\d\d:\d\d:\d\d\.\d{3} warn {2}thing x=1\n$/);
});
