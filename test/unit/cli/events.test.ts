/** `netsteward events`, `watch` and `metrics` as processes: against a control socket that a test serves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { NetstewardEvent } from '../../../src/core/events.ts';
import { openControlSocket } from '../../../src/supervisor/control-socket.ts';
import { EventFeed } from '../../../src/supervisor/events-feed.ts';
import { matches } from '../../../src/supervisor/history-query.ts';
import type { StatusReport } from '../../../src/supervisor/status-report.ts';
import { mainJs } from '../../checkout.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-looking-'));
after(() => rmSync(folder, { recursive: true }));

const base = Date.UTC(2026, 5, 1, 12, 0, 0);
let sockets = 0;

const report: StatusReport = {
  version: '1.2.3',
  pid: 4,
  config: 'n.toml',
  state: 'running',
  ready: true,
  startedAt: base - 60_000,
  now: base,
  modules: [],
  warnings: [],
  lastReload: undefined,
};

/** A control socket with three events, and a feed for those to come. */
async function serve(t: TestContext) {
  const path = join(folder, `${sockets++}.sock`);
  const clock = new FakeClock(base);
  const kept: NetstewardEvent[] = [];
  const feed = new EventFeed(clock, { event: (event) => void kept.push(event), sample: () => undefined });
  const flip = (host: string, reason: string): void =>
    feed.hear('flip', { module: 'nbrpc', host, from: 'direct', to: 'tunnel', addresses: ['192.0.2.1'], reason });
  flip('a.example', 'reset');
  await clock.advance(60_000);
  feed.hear('name-moved', { module: 'dyndns', name: 'home.example', from: '192.0.2.1', to: '192.0.2.2', keyId: 'k1' });
  flip('b.example', 'evil \x1b[31m\n\u202e');
  const waiting: (() => void)[] = [];
  const control = await openControlSocket(path, {
    status: () => report,
    reload: assert.fail,
    metrics: async () => '# TYPE netsteward_ready gauge\nnetsteward_ready 1\n',
    events: (query) =>
      kept.filter((event) => matches(query, event)).slice(query.limit === 0 ? kept.length : -query.limit),
    follow: (follow) => {
      for (const go of waiting.splice(0)) go();
      return feed.follow(follow);
    },
  });
  t.after(() => control.close());
  const followed = (): Promise<void> => new Promise((resolve) => void waiting.push(resolve));
  return { path, flip, followed, control };
}

function start(args: readonly string[], command = process.execPath, before: readonly string[] = [mainJs]) {
  const child = spawn(command, [...before, ...args], {
    env: { ...process.env, TZ: 'UTC', COLUMNS: '80', LINES: '24' },
  });
  const out = { stdout: '', stderr: '' };
  let look: () => void = () => undefined;
  child.stdout.on('data', (chunk) => {
    out.stdout += String(chunk);
    look();
  });
  child.stderr.on('data', (chunk) => {
    out.stderr += String(chunk);
    look();
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...out })),
  );
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (pattern.test(out.stdout)) resolve();
      };
      look();
    });
  return { child, ended, says, out };
}

const netsteward = (...args: string[]) => start(args).ended;

test('events are lines for people: when, of which module, what and why; nothing of it reaches the terminal raw', async (t) => {
  const { path } = await serve(t);
  assert.deepEqual(await netsteward('events', '--socket', path), {
    code: 0,
    stderr: '',
    stdout: `2026-06-01 12:00:00 nbrpc      a.example goes through the tunnel: reset
2026-06-01 12:01:00 dyndns     home.example moved from 192.0.2.1 to 192.0.2.2, by key k1
2026-06-01 12:01:00 nbrpc      b.example goes through the tunnel: evil \\x1b[31m\\n\\u202e
`,
  });
});

test('they can be chosen by module, subject, number and time', async (t) => {
  const { path } = await serve(t);
  const lines = async (...args: string[]): Promise<number> =>
    (await netsteward('events', '--socket', path, ...args)).stdout.split('\n').length - 1;
  assert.equal(await lines('--module', 'dyndns'), 1);
  assert.equal(await lines('--subject', 'b.example'), 1);
  assert.equal(await lines('--limit', '2'), 2);
  assert.equal(await lines('--since', '2026-06-01T12:00:30'), 2);
  assert.equal(await lines('--since', '500000d'), 3);
  assert.equal(await lines('--since', '2026-06-01 12:00:30'), 2);
  assert.equal(await lines('--since', '2026-06-01T12:00:30Z'), 2);
  assert.equal(await lines('--since', '2026-06-01'), 3);
  assert.equal(await lines('--since', '2099-01-01'), 0);
});

test('--json is one JSON value a line, without a raw control character', async (t) => {
  const { path } = await serve(t);
  const { stdout } = await netsteward('events', '--socket', path, '--json');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as NetstewardEvent);
  assert.deepEqual(
    events.map(({ code }) => code),
    ['service-rerouted', 'name-moved', 'service-rerouted'],
  );
  assert.equal(events[2]?.fields.reason, 'evil \x1b[31m\n\u202e');
  assert.doesNotMatch(stdout, /[^\P{Cc}\n]|\u202e/u);
});

test('--follow goes on with those to come, and says so when netsteward goes', async (t) => {
  const { path, flip, followed, control } = await serve(t);
  const { says, ended } = start(['events', '--socket', path, '--follow', '--subject', 'c.example']);
  await followed();
  flip('other.example', 'x');
  flip('c.example', 'first');
  await says(/first/);
  flip('c.example', 'second');
  await says(/second/);
  await control.close();
  const { code, stdout, stderr } = await ended;
  assert.equal(stdout.split('\n').length - 1, 2, stdout);
  assert.equal(code, 1);
  assert.match(stderr, /^netsteward: netsteward on .* has ended this answer in the middle\nIt was stopped, or/);
});

test('a wrong option is a mistake of the command line, and is explained', async () => {
  for (const [args, message] of [
    [['--since', '2026-13-01'], /must be a duration such as 2d, or a time/],
    [['--since', 'yesterday'], /must be a duration such as 2d, or a time/],
    [['--module', 'nbrcp'], /There are netsteward, nbrpc, cgroup-nft, dyndns, dnstest, page\./],
    [['--limit', '0'], /whole number from 1/],
  ] as const) {
    const { code, stderr } = await netsteward('events', ...args);
    assert.equal(code, 64);
    assert.match(stderr, message);
  }
});

test('where no netsteward listens, or something else does, each command says so with exit code 1', async (t) => {
  const none = join(folder, 'none.sock');
  for (const command of ['events', 'metrics', 'watch']) {
    const { code, stdout, stderr } = await netsteward(command, '--socket', none);
    assert.deepEqual([code, stdout], [1, ''], command);
    assert.match(stderr, /^netsteward: no netsteward listens on .*none\.sock\nStart it/);
  }
  const answers = ['\0garbage\r\n\r\n', 'HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n'];
  for (const [index, answer] of answers.entries()) {
    const path = join(folder, `raw-${index}.sock`);
    const server = createRawServer((socket) => {
      socket.on('error', () => undefined).resume();
      socket.end(answer);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    t.after(() => server.close());
    const { code, stderr } = await netsteward('events', '--socket', path);
    assert.equal(code, 1);
    assert.match(stderr, /^netsteward: asking netsteward on .* failed: its answer is not HTTP|it answers 404/);
    assert.doesNotMatch(stderr, /unexpected error/);
  }
});

test('lines that are no events end it, and codes of a newer version are left out', async (t) => {
  const good = '{"at":1,"module":"nbrpc","code":"service-works","subject":"a","fields":{"from":"x"}}';
  for (const [index, [body, code, lines]] of (
    [
      [`${good}\n{"at":1,"module":"m","code":"of-the-future","subject":"","fields":{}}\n${good}\n`, 0, 2],
      [`${good}\nnull\n`, 1, 1],
      [`${good}\n{"at":1e999,"module":"m","code":"service-works","subject":"","fields":{}}\n`, 1, 1],
      [`${good}\n{"at":1,"module":"m","code":"service-works","subject":"","fields":{"a":1}}\n`, 1, 1],
      [`${good}\n<html>`, 1, 1],
    ] as const
  ).entries()) {
    const path = join(folder, `odd-${index}.sock`);
    const server = createServer((_, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    t.after(() => server.close());
    const ended = await netsteward('events', '--socket', path);
    assert.deepEqual([ended.code, ended.stdout.split('\n').length - 1], [code, lines], `${body}\n${ended.stderr}`);
  }
});

test('metrics prints what the service measures; --reference needs no service', async (t) => {
  const { path } = await serve(t);
  const { code, stdout } = await netsteward('metrics', '--socket', path);
  assert.deepEqual([code, stdout], [0, '# TYPE netsteward_ready gauge\nnetsteward_ready 1\n']);
  const reference = await netsteward('metrics', '--socket', join(folder, 'none.sock'), '--reference');
  assert.match(reference.stdout, /^# What does netsteward measure\?\n/);
});

test('watch without a terminal is the status once, then each event as a line', async (t) => {
  const { path, flip, followed, control } = await serve(t);
  const { says, ended } = start(['watch', '--socket', path]);
  await followed();
  flip('c.example', 'now');
  await says(/c\.example/);
  await control.close();
  const { stdout } = await ended;
  assert.match(stdout, /^netsteward 1\.2\.3, ready, running for 1m \(pid 4, n\.toml\)\n/);
  assert.equal(stdout.split('\n').length - 1, 2, stdout);
  assert.ok(!stdout.includes('\x1b'));
});

test('watch in a terminal draws over itself, goes on without and with netsteward, and leaves the terminal as it was', async (t) => {
  const { path, flip, followed, control } = await serve(t);
  // script(1) of util-linux gives it a pseudo-terminal.
  const command = `stty rows 24 cols 80; exec '${process.execPath}' '${mainJs}' watch --socket '${path}'`;
  const { child, says, ended, out } = start(['-qefc', command, '/dev/null'], 'script', []);
  await followed();
  await says(/netsteward 1\.2\.3, ready/);
  flip('c.example', 'now');
  await says(/c\.example goes through the tunnel: now/);
  await control.close();
  await says(/no netsteward listens on/);
  child.stdin.write('\x03');
  const { code, stdout } = await ended;
  assert.equal(code, 0, JSON.stringify(out));
  assert.ok(stdout.startsWith('\x1b[?1049h\x1b[?25l'), JSON.stringify(stdout.slice(0, 40)));
  assert.ok(stdout.endsWith('\x1b[?25h\x1b[?1049l'), JSON.stringify(stdout.slice(-40)));
  // What others wrote may hold no sequence of its own: these alone are ours.
  const sequences = new Set(
    stdout
      .split('\u001b')
      .slice(1)
      .map((rest) => /^\[?[?\d;]*[A-Za-z]?/.exec(rest)?.[0]),
  );
  assert.deepEqual(sequences, new Set(['[?1049h', '[?25l', '[H', '[K', '[J', '[?25h', '[?1049l']));
});
