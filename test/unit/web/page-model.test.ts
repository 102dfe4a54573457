/** What the status page makes of what it hears, without a browser: messages, patches, strips, order, words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CauseCode, type CauseKind, causeCodes } from '../../../src/nbrpc/reason.ts';
import { causeSentence } from '../../../src/nbrpc/reason-text.ts';
import type { StatePatch } from '../../../src/supervisor/page/shapes.ts';
import { HistoryOfHosts } from '../../../web/history.ts';
import { MessageReader } from '../../../web/messages.ts';
import { nothingKnown, type Part, patched } from '../../../web/model.ts';
import { matches, placed } from '../../../web/order.ts';
import { bytes, kindOf, marks, seconds, span, stateOf } from '../../../web/words.ts';
import { hostName, pageState, stateOfHost } from '../../fakes/page-answers.ts';
import { whole } from '../../fakes/page-server.ts';

const now = Date.UTC(2026, 10, 21, 12);
const minute = 60_000;

test('messages are read however the network cuts them, and comments are none', () => {
  const text =
    ': still there\n\nevent: state\ndata: {"a":1}\n\nevent: event\r\ndata: x\r\ndata: y\r\n\r\ndata: plain\n\n';
  const whole = [
    { name: 'state', data: '{"a":1}' },
    { name: 'event', data: 'x\ny' },
    { name: 'message', data: 'plain' },
  ];
  for (let size = 1; size <= text.length; size += 1) {
    const reader = new MessageReader();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...reader.take(text.slice(at, at + size)));
    assert.deepEqual(found, whole, `pieces of ${size}`);
  }
});

test('a patch changes what it names, in its order, and leaves the other rows the same objects', () => {
  const scene = { now, hosts: 20 };
  const changed = new Set<Part>();
  const before = patched(nothingKnown, whole(pageState(scene)), changed);
  assert.deepEqual(before.services, pageState(scene).services);
  assert.ok(changed.has('services') && changed.has('nbrpc') && changed.has('warnings'));
  const moved = { ...stateOfHost(3, scene), reason: 'new' };
  const gone = hostName(4);
  const order = before.services.map(({ id }) => id).filter((id) => id !== gone);
  order.unshift(order.splice(order.indexOf(moved.id), 1)[0] ?? '');
  const patch: StatePatch = { at: now + 1000, full: false, services: { put: [moved], gone: [gone], order } };
  changed.clear();
  const after = patched(before, patch, changed);
  assert.deepEqual([...changed], ['services']);
  assert.equal(after.services.length, 19);
  assert.equal(after.services[0], moved);
  assert.equal(after.services.at(-1), before.services.at(-1));
  assert.equal(after.warnings, before.warnings);
});

test('a whole patch forgets what was known', () => {
  const before = patched(nothingKnown, whole(pageState({ now, hosts: 20 })), new Set());
  const { services, ...others } = whole(pageState({ now, hosts: 5 }));
  assert.deepEqual(patched(before, others, new Set()).services, []);
  assert.equal(patched(before, { ...others, ...(services && { services }) }, new Set()).services.length, 5);
});

function history(hours: number): HistoryOfHosts {
  const since = now - 2 * 24 * 60 * minute;
  const strips = [{ host: 'a', intervals: [0, 1, 0, 60, 2, 1, 47 * 60 + 30, 1, 0] }];
  const states = ['unknown', 'direct', 'failing'] as const;
  return new HistoryOfHosts(
    { since, days: 3, states, reasons: ['', 'tls reset'], strips, more: 0, problem: '' },
    hours,
  );
}

test('a strip shows the hours that are asked for, and tells intervals as they were', () => {
  const drawn = (hours: number): readonly (readonly [number, number, string, string])[] => {
    const found: [number, number, string, string][] = [];
    history(hours).each('a', (start, end, state, kind) => found.push([start, end, state, kind]), now);
    return found;
  };
  assert.deepEqual(drawn(1), [
    [0, 30, 'failing', 'tls'],
    [30, 60, 'direct', 'other'],
  ]);
  assert.equal(drawn(720).length, 3);
  assert.equal(history(1).first('a', now), 1);
  const interval = history(1).interval('a', 1, now);
  assert.deepEqual(interval, {
    from: now - 47 * 60 * minute,
    to: now - 30 * minute,
    state: 'failing',
    reason: 'tls reset',
    kind: 'tls',
  });
});

test('what is heard live goes on from the strip, once for each change of state', () => {
  const led = history(24);
  led.become('a', now, 'direct', '');
  led.become('a', now + minute, 'tunnelled', 'HTTP: status 403');
  led.become('a', now + 2 * minute, 'tunnelled', 'HTTP: status 451');
  led.become('a', now + 3 * minute, 'unknown', '');
  assert.equal(led.count('a'), 4);
  const last = led.last('a', now + 5 * minute);
  assert.deepEqual([last?.state, last?.from, last?.kind], ['tunnelled', now + minute, 'http']);
  led.become('new', now, 'failing', 'connect: refused (RST)');
  assert.deepEqual([led.count('new'), led.last('new', now)?.state], [2, 'failing']);
});

test('trouble comes first, and a filter takes words of everything that a row says', () => {
  const scene = { now, hosts: 60 };
  const services = pageState(scene).services.map((row) => ({ host: row.id, row }));
  const order = placed(services, 'trouble', undefined, now).map(({ row }) => (row === undefined ? '' : stateOf(row)));
  assert.deepEqual(order.slice(0, 8), [
    'dropped',
    'down',
    'failing',
    'tunnelled',
    'tunnelled',
    'tunnelled',
    'unknown',
    'direct',
  ]);
  assert.equal(placed(services, 'name', undefined, now)[0]?.host, 'api15.example');
  const found = (words: string): readonly string[] =>
    services.filter((service) => matches(service, words, undefined, now)).map(({ host }) => host);
  assert.deepEqual(found('tls tunnelled ams'), ['mail10.example']);
  assert.deepEqual(found('no such thing'), []);
  assert.equal(found('192.0.2.61').length, 1);
});

test('reasons tell their kind, in the words of a close look and of a check alone', () => {
  for (const [reason, kind] of [
    ['name: the resolver says that there is no such name', 'name'],
    ['connect: refused (RST)', 'connect'],
    ['TLS: closed on the ClientHello; status 200 to another name', 'tls'],
    ['HTTP: status 403', 'http'],
    ['transfer: frozen after 16 kB', 'data'],
    ['timeout on connect at 192.0.2.1, and 1 of 2 addresses', 'connect'],
    ['tls reset', 'tls'],
    ['status 403, expected 200', 'http'],
    ['timeout on body', 'data'],
    ['nxdomain', 'name'],
    ['constructor: x', 'other'],
    ['', 'other'],
  ] as const)
    assert.equal(kindOf(reason), kind, reason);
});

test('every sentence of a cause begins so that its kind is known again, in events and strips too', () => {
  const kinds = {
    none: 'other',
    name: 'name',
    connect: 'connect',
    tls: 'tls',
    http: 'http',
    transfer: 'data',
  } as const;
  for (const [kind, codes] of Object.entries(causeCodes) as [CauseKind, readonly CauseCode[]][]) {
    for (const code of codes) {
      for (const detail of ['', 'tls reset', 'status 403', 'after 16 kB', 'name: x']) {
        const sentence = causeSentence({ kind, code, detail });
        assert.equal(kindOf(sentence), kinds[kind], sentence);
      }
    }
  }
});

test('what was measured in seconds is said as short as it is meant', () => {
  assert.deepEqual([0.44, 42.4, 59.6, 102, 600, 3899].map(seconds), [
    '0.4 s',
    '42 s',
    '1 min',
    '1 min 42 s',
    '10 min',
    '1 h 4 min',
  ]);
});

test('spans, sizes and marks are as long as they need to be', () => {
  assert.deepEqual([0, 59_000, 5 * minute, 200 * minute, 49 * 60 * minute].map(span), [
    '0 s',
    '59 s',
    '5 min',
    '3 h 20 min',
    '2 d 1 h',
  ]);
  assert.deepEqual([0, 999, 1000, 88_123_004, 5e15].map(bytes), ['0 B', '999 B', '1.0 kB', '88.1 MB', '5.0 PB']);
  assert.equal(marks(now - 60 * minute, now).length, 5);
  assert.equal(marks(now - 24 * 60 * minute, now).length, 7);
  assert.equal(marks(now - 30 * 24 * 60 * minute, now).length, 30);
});
