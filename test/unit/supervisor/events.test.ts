/** Events from the log to those who ask: the tap, the feed, and GET /events on a real socket. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { controlEvents, controlLines } from '../../../src/cli/events-stream.ts';
import type { NetstewardEvent } from '../../../src/core/events.ts';
import { openControlSocket } from '../../../src/supervisor/control-socket.ts';
import { EventFeed } from '../../../src/supervisor/events-feed.ts';
import { mostBehind, mostFollowers, parseEventsQuery } from '../../../src/supervisor/events-route.ts';
import { tappedLog } from '../../../src/supervisor/events-tap.ts';
import { matches } from '../../../src/supervisor/history-query.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

async function setUp(t: TestContext) {
  const clock = new FakeClock();
  const kept: NetstewardEvent[] = [];
  const feed = new EventFeed(clock, {
    event: (event) => void kept.push(event),
    sample: () => assert.fail('no sample was logged'),
  });
  const written = new MemoryLog();
  const log = tappedLog(written, feed.hear).child({ module: 'nbrpc' });
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-events-'));
  const path = join(folder, 'control.sock');
  let following = 0;
  const socket = await openControlSocket(path, {
    status: assert.fail,
    reload: assert.fail,
    metrics: async () => '# TYPE x gauge\nx 1\n',
    events: (query) => kept.filter((event) => matches(query, event)).slice(-query.limit),
    follow: (follow) => {
      following += 1;
      const stop = feed.follow(follow);
      return () => {
        following -= 1;
        stop();
      };
    },
  });
  t.after(async () => {
    await socket.close();
    rmSync(folder, { recursive: true });
  });
  const flip = (host: string, reason = 'reset'): void =>
    log.info('flip', { host, from: 'direct', to: 'tunnel', addresses: [], reason });
  return { clock, kept, feed, written, log, path, flip, following: () => following };
}

async function subjectsOf(events: AsyncIterable<NetstewardEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const { subject } of events) found.push(subject);
  return found;
}

/** Waits for what the other end of a socket does; the test's own limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('the tap writes each line as it was, and hears it with what its children are bound to', async (t) => {
  const { kept, written, log, flip, feed } = await setUp(t);
  flip('a.example');
  log.debug('pass', { rejected: 0 });
  assert.deepEqual(
    written.lines.map(({ level, event, fields }) => [level, event, fields.module]),
    [
      ['info', 'flip', 'nbrpc'],
      ['debug', 'pass', 'nbrpc'],
    ],
  );
  assert.deepEqual(
    kept.map(({ code, subject }) => [code, subject]),
    [['service-rerouted', 'a.example']],
  );
  assert.deepEqual(feed.counts(), [{ module: 'nbrpc', code: 'service-rerouted', count: 1 }]);
});

test('what goes wrong in the ear does not reach the one who logs, and is told', () => {
  const written = new MemoryLog();
  tappedLog(written, () => assert.fail('deaf')).warn('flip');
  assert.deepEqual(
    written.lines.map(({ event }) => event),
    ['flip', 'event-not-kept'],
  );
});

test('GET /events gives one JSON line an event, chosen by the query', async (t) => {
  const { path, flip, clock } = await setUp(t);
  flip('a');
  await clock.advance(1000);
  flip('b');
  flip('a');
  const ask = (more: object) => subjectsOf(controlEvents({ socket: path, follow: false, ...more }));
  assert.deepEqual(await ask({}), ['a', 'b', 'a']);
  assert.deepEqual(await ask({ since: clock.now() }), ['b', 'a']);
  assert.deepEqual(await ask({ subject: 'a' }), ['a', 'a']);
  assert.deepEqual(await ask({ module: 'dyndns' }), []);
  assert.deepEqual(await ask({ limit: 1 }), ['a']);
});

test('a follower gets what was and what comes, each once, of what it asked for', async (t) => {
  const { path, flip, following } = await setUp(t);
  flip('before');
  const stop = new AbortController();
  const found: string[] = [];
  const all = (async () => {
    const question = { socket: path, module: 'nbrpc', follow: true, signal: stop.signal };
    for await (const { subject } of controlEvents(question)) {
      found.push(subject);
      if (found.length < 4) flip(`after ${found.length}`);
      else stop.abort();
    }
  })();
  await all;
  assert.deepEqual(found, ['before', 'after 1', 'after 2', 'after 3']);
  await until(() => following() === 0);
});

test('who does not read is dropped, and costs no more memory than is said; others go on', async (t) => {
  const { path, flip, following } = await setUp(t);
  const lazy = connect(path, () => lazy.write('GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n'));
  lazy.on('error', () => undefined);
  lazy.pause();
  await until(() => following() === 1);
  let sent = 0;
  while (following() === 1) {
    flip('a', 'x'.repeat(400));
    sent += 1;
    // What the kernel's socket buffers take comes on top of it.
    assert.ok(sent * 400 < mostBehind + 8_000_000, 'it was never dropped');
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  lazy.destroy();
  assert.deepEqual(await subjectsOf(controlEvents({ socket: path, follow: false, limit: 1 })), ['a']);
});

test('there is a limit to how many may follow, and room again when one goes', async (t) => {
  const { path, following } = await setUp(t);
  const sockets = Array.from({ length: mostFollowers }, () => {
    const socket = connect(path, () => socket.write('GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.on('error', () => undefined).resume();
    return socket;
  });
  await until(() => following() === mostFollowers);
  await assert.rejects(subjectsOf(controlEvents({ socket: path, follow: true })), /it answers 503/);
  sockets[0]?.destroy();
  await until(() => following() === mostFollowers - 1);
  const stop = new AbortController();
  const one = subjectsOf(controlEvents({ socket: path, follow: true, signal: stop.signal }));
  await until(() => following() === mostFollowers);
  stop.abort();
  assert.deepEqual(await one, []);
  for (const socket of sockets) socket.destroy();
});

test('a query that is not understood is refused, and says what there is', () => {
  for (const [query, problem] of [
    ['sinc=1', /^sinc: there are since, /],
    ['since=1&since=2', /each once/],
    ['since=yesterday', /whole number/],
    ['since=-1', /whole number/],
    ['limit=1e9', /whole number/],
    ['limit=9999999999999999', /whole number/],
    ['follow=true', /must be 1/],
    ['__proto__=1', /there are/],
  ] as const) {
    const parsed = parseEventsQuery(query);
    assert.match('problem' in parsed ? parsed.problem : 'taken', problem, query);
  }
  assert.deepEqual(parseEventsQuery('subject=a%26b&limit=999999999'), {
    subject: 'a&b',
    limit: 10_000,
    follow: false,
  });
  assert.deepEqual(parseEventsQuery('since=5&until=7&follow=1'), { since: 5, until: 7, limit: 1000, follow: true });
});

test('GET /metrics gives text as it is', async (t) => {
  const { path } = await setUp(t);
  const lines: string[] = [];
  for await (const line of controlLines({ socket: path, path: '/metrics', limit: 5000 })) lines.push(line);
  assert.deepEqual(lines, ['# TYPE x gauge', 'x 1']);
});
