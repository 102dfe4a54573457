/** Strips: each service's states through a period, from events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EventCode, eventCatalogue, type NetstewardEvent } from '../../../src/core/events.ts';
import { History, writeDelay } from '../../../src/supervisor/history.ts';
import { serviceIntervals, serviceStateCodes } from '../../../src/supervisor/history-strips.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const event = (at: number, code: EventCode, subject = 'a', reason = ''): NetstewardEvent => ({
  at,
  module: eventCatalogue[code].module === 'nbrpc' ? 'nbrpc' : 'netsteward',
  code,
  subject: code.startsWith('netsteward-') ? '' : subject,
  fields: { reason },
});

/** `from-to state reason` */
const strip = (events: readonly NetstewardEvent[], host = 'a', period = { since: 0, until: 100 }): string[] =>
  (serviceIntervals(events, period).get(host) ?? []).map(({ from, to, state, reason }) =>
    `${from}-${to} ${state} ${reason}`.trim(),
  );

test('a service that fails, goes through the tunnel and comes back has one interval for each', () => {
  const events = [
    event(-50, 'service-works'),
    event(10, 'service-failing', 'a', 'reset'),
    event(20, 'service-blocked', 'a', 'reset'),
    event(21, 'service-rerouted', 'a', 'reset since long'),
    event(60, 'service-works', 'a', 'fine'),
    event(61, 'service-direct', 'a', 'works again'),
  ];
  assert.deepEqual(strip(events), [
    '0-10 direct',
    '10-21 failing reset',
    '21-61 tunnelled reset since long',
    '61-100 direct fine',
  ]);
});

test('what is down everywhere is no reason to call it blocked', () => {
  assert.deepEqual(strip([event(5, 'service-works'), event(30, 'service-unstable', 'a', 'timeout')]), [
    '0-5 unknown',
    '5-30 direct',
    '30-100 down timeout',
  ]);
});

test('a service that no exit works for, and that must not go direct, is dropped', () => {
  const events = [
    event(0, 'service-rerouted', 'a', 'reset'),
    event(20, 'service-dropped', 'a', 'no exit works for it'),
    event(30, 'service-failing', 'a', 'reset'),
    event(50, 'service-rerouted', 'a', 'reset'),
  ];
  assert.deepEqual(strip(events), [
    '0-20 tunnelled reset',
    '20-50 dropped no exit works for it',
    '50-100 tunnelled reset',
  ]);
});

test('while netsteward was off nothing is known, and then it is as it was', () => {
  const events = [
    event(0, 'service-rerouted', 'a', 'x'),
    event(40, 'netsteward-stopping'),
    event(70, 'netsteward-started'),
  ];
  assert.deepEqual(strip(events), ['0-40 tunnelled x', '40-70 unknown netsteward was off', '70-100 tunnelled x']);
});

test('what was otherwise for no time does not cut an interval in two', () => {
  const events = [
    event(0, 'service-rerouted', 'a', 'x'),
    event(70, 'netsteward-stopping'),
    event(70, 'service-rerouted', 'a', 'x'),
  ];
  assert.deepEqual(strip(events), ['0-100 tunnelled x']);
});

test('each service has a strip of its own, in whatever order their events come', () => {
  const of = (host: string): NetstewardEvent[] => [
    event(10, 'service-works', host),
    event(20, 'service-failing', host, host),
  ];
  const [a, b] = [of('a'), of('b')];
  const mixed = [a, b].flatMap(([first]) => first ?? []).concat([b, a].flatMap(([, second]) => second ?? []));
  for (const host of ['a', 'b']) assert.deepEqual(strip(mixed, host), strip(of(host), host));
});

test('whatever happens, intervals fill the period without gap or overlap, and differ from their neighbours', () => {
  const codes = [...serviceStateCodes, 'netsteward-stopping', 'netsteward-started'] as const;
  const any = fc.record({
    at: fc.integer({ min: -50, max: 150 }),
    code: fc.constantFrom(...codes),
    host: fc.constantFrom('a', 'b'),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 40 }), fc.boolean(), (found, sorted) => {
      // A clock that was set back gives events that are out of order.
      const made = found.map(({ at, code, host }) => event(at, code, host));
      const events = sorted ? made.sort((x, y) => x.at - y.at) : made;
      for (const intervals of serviceIntervals(events, { since: 0, until: 100 }).values()) {
        assert.equal(intervals[0]?.from, 0);
        assert.equal(intervals.at(-1)?.to, 100);
        for (const [index, { from, to, state, reason }] of intervals.entries()) {
          assert.ok(from < to);
          const next = intervals[index + 1];
          if (next === undefined) continue;
          assert.equal(next.from, to);
          assert.ok(next.state !== state || next.reason !== reason);
        }
      }
    }),
  );
});

test('the history knows how things stood before the period began, from the file and from memory', async () => {
  const clock = new FakeClock(0);
  const settings = { off: false, file: '/h.db', max_age: 1e12, max_size: 50e6 };
  const history = new History(settings, { clock, store: new MemoryStore(), onTrouble: assert.fail });
  history.event(event(10, 'service-blocked', 'a', 'reset'));
  history.event(event(11, 'service-rerouted', 'a', 'blocked'));
  history.event(event(12, 'service-works', 'b'));
  await clock.advance(writeDelay);
  history.event(event(500, 'service-failing', 'b', 'slow'));
  const period = { since: 100, until: 1000 };
  const shown = () => [...history.serviceIntervals(period)].map(([host, all]) => [host, all.map((each) => each.state)]);
  assert.deepEqual(shown(), [
    ['a', ['tunnelled']],
    ['b', ['direct', 'failing']],
  ]);
  await clock.advance(writeDelay);
  assert.deepEqual(shown(), [
    ['a', ['tunnelled']],
    ['b', ['direct', 'failing']],
  ]);
  history.close();
});
