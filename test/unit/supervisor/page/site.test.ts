/** The status page's server over real sockets: what it answers to whom, and what it does not let itself be made to do. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { NetstewardError } from '../../../../src/core/errors.ts';
import { insert } from '../../../../src/supervisor/history-rows.ts';
import { openHistoryFile } from '../../../../src/supervisor/history-schema.ts';
import { parseBinding } from '../../../../src/supervisor/page/binding.ts';
import type { PageConfig } from '../../../../src/supervisor/page/index.ts';
import type { Events, Latency, PageProblem, PageState, Strips } from '../../../../src/supervisor/page/shapes.ts';
import { forgetAfter } from '../../../../src/supervisor/page/site.ts';
import { SqliteStore } from '../../../../src/system/linux/sqlite.ts';
import { quietReport } from '../../../fakes/quiet-report.ts';
import { startPage, token } from './page-under-test.ts';

const json = <Value>({ text }: { readonly text: string }): Value => JSON.parse(text) as Value;

for (const listen of ['unix:FOLDER/deep/page.sock', '127.0.0.1:0', '[::1]:0']) {
  test(`over ${listen} it shows the page and the present, to GET and HEAD, with headers that let nothing else work`, async (t) => {
    const { ask } = await startPage(t, listen);
    const page = await ask('/');
    assert.deepEqual([page.status, page.text.slice(0, 9)], [200, '<!doctype']);
    const head = await ask('/', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text, head.headers.etag], [200, '', page.headers.etag]);
    const state = await ask('/api/state');
    assert.equal(json<PageState>(state).service.version, '1');
    assert.equal(state.headers['cache-control'], 'no-store');
    for (const { headers } of [page, state, await ask('/nothing')]) {
      const policy = headers['content-security-policy'] ?? '';
      assert.match(String(policy), /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
      assert.doesNotMatch(String(policy), /unsafe|data:|\*|http/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    }
  });
}

test('files are packed for who takes that, and not sent again to who has them', async (t) => {
  const { ask } = await startPage(t);
  const plain = await ask('/page.js');
  assert.equal(plain.text.length, 5003);
  const again = await ask('/page.js', { headers: { 'if-none-match': String(plain.headers.etag) } });
  assert.deepEqual([again.status, again.text], [304, '']);
  const packed = await ask('/page.js', { headers: { 'accept-encoding': 'br, gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(packed.text.length < 1000);
  const refused = await ask('/page.js', { headers: { 'accept-encoding': 'gzip;q=0' } });
  assert.equal(refused.headers['content-encoding'], undefined);
});

test('no path leads to a file that is not one of the page', async (t) => {
  const { ask } = await startPage(t);
  for (const path of [
    '/../token',
    '/%2e%2e/token',
    '/..%2ftoken',
    '//etc/passwd',
    '/page.js/..',
    '/page.js%00',
    '/PAGE.JS',
    '/__proto__',
    '/api/',
    '/api/constructor',
    'http://localhost/page.js',
    '*',
  ]) {
    const answer = await ask(path);
    assert.ok([404, 421].includes(answer.status), `${path}: ${answer.status}`);
    assert.doesNotMatch(answer.text, new RegExp(token));
  }
});

test('another name than localhost in Host, and a page of another site, get nothing but an explanation', async (t) => {
  const { ask, service } = await startPage(t);
  for (const headers of [{ host: 'evil.example' }, { host: 'localhost.evil.example:80' }]) {
    const answer = await ask('/api/state', { headers });
    assert.equal(answer.status, 421);
    assert.deepEqual(Object.keys(json<PageProblem>(answer)), ['error', 'remedy']);
  }
  for (const origin of ['http://evil.example', 'null']) {
    assert.equal((await ask('/api/state', { headers: { origin } })).status, 403);
  }
  assert.equal((await ask('/api/live', { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403);
  assert.equal(service.asked, 0);
});

test('a check takes the token, JSON, and a name; then nbrpc is asked for it', async (t) => {
  const { ask, service } = await startPage(t);
  const good = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ host: 'a.example' });
  const check = (headers: Readonly<Record<string, string>>, text = body, method = 'POST') =>
    ask('/api/check', { method, headers, body: text });
  assert.equal((await check({ 'content-type': 'application/json' })).status, 401);
  assert.equal((await check({ ...good, authorization: 'Bearer wrong-wrong-wrong-wrong' })).status, 403);
  assert.equal((await check({ ...good, origin: 'http://evil.example' })).status, 403);
  assert.equal((await check({ ...good, 'content-type': 'text/plain' })).status, 415);
  assert.equal((await check(good, '', 'GET')).status, 405);
  for (const bad of ['', '[]', '{"host":1}', '{"host":""}', JSON.stringify({ host: 'x'.repeat(254) })]) {
    assert.equal((await check(good, bad)).status, 400, bad);
  }
  assert.equal((await check(good, JSON.stringify({ host: 'x'.repeat(5000) }))).status, 413);
  assert.deepEqual(service.commands, []);
  const answer = await check(good);
  assert.deepEqual([answer.status, json(answer)], [202, { text: 'checking' }]);
  assert.deepEqual(service.commands, [['nbrpc', 'check', 'a.example']]);
  service.commandError = new NetstewardError('command-unknown', 'nbrpc has no command "check"');
  assert.deepEqual(
    [(await check(good)).status, json(await check(good))],
    [501, { error: 'nbrpc has no command "check"', remedy: '' }],
  );
  service.commandError = new NetstewardError('host-unknown', 'there is no host a.example', { remedy: 'Name another.' });
  assert.deepEqual([(await check(good)).status, json<PageProblem>(await check(good)).remedy], [409, 'Name another.']);
});

test('without a token file nobody may check, and the page says why', async (t) => {
  const { ask, running, config } = await startPage(t);
  const { token_file: _, ...without } = config;
  await running.reload(without);
  const { access } = json<PageState>(await ask('/api/state'));
  assert.deepEqual([access.check, access.reading], ['off', 'open']);
  const answer = await ask('/api/check', { method: 'POST', headers: { authorization: 'Bearer undefined' } });
  assert.equal(answer.status, 403);
  assert.match(json<PageProblem>(answer).remedy, /page\.token_file/);
});

test('where other machines are let in, all but the page’s own files takes the token, and a warning says so', async (t) => {
  const { ask, running } = await startPage(t, '0.0.0.0:0', { allow_remote: true });
  assert.deepEqual(
    running.health().warnings.map(({ code }) => code),
    ['page-remote'],
  );
  assert.equal((await ask('/')).status, 200);
  for (const path of ['/api/state', '/api/strips', '/api/live', '/api/events', '/api/latency?resolver=a', '/api/x']) {
    const answer = await ask(path);
    assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer'], path);
  }
  const answer = await ask('/api/state', { headers: { authorization: `Bearer ${token}`, host: 'router.lan' } });
  assert.equal(json<PageState>(answer).access.reading, 'token');
});

test('who watches by an old token is shut out by the reload that brings another', async (t) => {
  const { open, ask, running, config, folder } = await startPage(t, '0.0.0.0:0', { allow_remote: true });
  const by = (word: string) => ({ headers: { authorization: `Bearer ${word}` } });
  const live = await open('/api/live', by(token));
  assert.equal(live.response.statusCode, 200);
  const ended = new Promise((resolve) => live.response.once('close', resolve));
  const next = 'another-token-of-this-test';
  writeFileSync(join(folder, 'token'), next);
  await running.reload(config);
  await ended;
  assert.deepEqual(
    [(await ask('/api/state', by(token))).status, (await ask('/api/state', by(next))).status],
    [403, 200],
  );
});

test('parameters that are wrong are refused with what is right', async (t) => {
  const { ask } = await startPage(t);
  for (const path of [
    '/api/strips?days=0',
    '/api/strips?days=32',
    '/api/strips?days=1e1',
    '/api/strips?days=1&days=2',
    '/api/strips?day=1',
    '/api/latency',
    '/api/latency?resolver=a&hours=745',
    '/api/events?limit=1001',
    '/api/state?x',
  ]) {
    const answer = await ask(path);
    assert.equal(answer.status, 400, path);
    assert.notEqual(json<PageProblem>(answer).remedy, '', path);
  }
});

test('names from outside leave as JSON and never as markup or another message', async (t) => {
  const { ask, open, service } = await startPage(t);
  const evil = '</script><img src=x onerror=alert(1)>\n\ndata: {"forged":1}\r\n\u202e';
  // A direction override would turn around what stands beside it.
  const shown = evil.replace('\u202e', '\\u202e');
  service.report = {
    ...quietReport,
    modules: [{ name: 'nbrpc', state: 'waiting', since: 1, restarts: 1, lastError: evil, health: undefined }],
  };
  service.past = [{ at: 1, module: 'nbrpc', code: 'service-failing', subject: evil, fields: { reason: evil } }];
  const state = await ask('/api/state');
  assert.match(String(state.headers['content-type']), /^application\/json/);
  assert.equal(json<PageState>(state).modules[0]?.lastError, shown);
  assert.equal(json<Events>(await ask('/api/events')).events[0]?.subject, shown);
  const live = await open('/api/live');
  while (!live.text().endsWith('\n\n')) await new Promise((resolve) => setTimeout(resolve, 5));
  live.response.destroy();
  const lines = live.text().trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['event:', 'data:'],
  );
  assert.ok(live.text().includes('\\\\u202e') && !live.text().includes('\u202e'));
});

test('strips and latencies come from the history; while there is none, or it is broken, an answer says so', async (t) => {
  const { ask, folder, clock } = await startPage(t);
  const file = join(folder, 'history.db');
  const strips = async () => json<Strips>(await ask('/api/strips?days=2'));
  const latency = async () => json<Latency>(await ask('/api/latency?resolver=local&hours=1'));
  assert.match((await strips()).problem, /There is no history yet/);
  writeFileSync(file, 'this is no database. '.repeat(1000));
  assert.match((await strips()).problem, /cannot be read: /);
  assert.match((await latency()).problem, /cannot be read: /);
  assert.equal((await ask('/api/state')).status, 200);
  rmSync(file);
  const database = openHistoryFile(new SqliteStore(), file);
  t.after(() => database.close());
  const now = clock.now();
  const event = { at: now - 60_000, module: 'nbrpc', code: 'service-failing', subject: 'a', fields: { reason: 'r' } };
  const row = { minute: Math.floor(now / 60_000), resolver: 'local', outcome: 'ok', bucket: 3, count: 2 };
  database.transaction(() => insert(database, [event as never], [row]));
  const found = await strips();
  assert.deepEqual([found.problem, found.strips.map(({ host }) => host)], ['', ['a']]);
  const columns = await latency();
  assert.deepEqual([columns.problem, columns.answers.at(-1)], ['', 2]);
  const [first, second] = [await ask('/api/strips?days=2'), await ask('/api/strips?days=2')];
  assert.equal(first.headers.etag, second.headers.etag);
  const headers = { 'if-none-match': String(first.headers.etag), 'accept-encoding': 'gzip' };
  assert.equal((await ask('/api/strips?days=2', { headers })).status, 304);
});

test('what is kept for strips goes when nobody has asked for long, and the next question has the same answer', async (t) => {
  const { ask, folder, clock } = await startPage(t);
  const database = openHistoryFile(new SqliteStore(), join(folder, 'history.db'));
  t.after(() => database.close());
  const event = { at: clock.now() - 1, module: 'nbrpc', code: 'service-works', subject: 'a', fields: {} };
  database.transaction(() => insert(database, [event as never], []));
  const before = await ask('/api/strips');
  await clock.advance(forgetAfter);
  assert.equal(clock.waiting, 0);
  assert.equal((await ask('/api/strips')).text, before.text);
});

test('a packed answer is the plain one', async (t) => {
  const { open, ask, service, clock } = await startPage(t);
  service.past = Array.from({ length: 500 }, (_, at) => ({
    at,
    module: 'nbrpc',
    code: 'service-works',
    subject: 'a',
    fields: { from: 'failing' },
  }));
  const { response } = await open('/api/events?limit=1000', { headers: { 'accept-encoding': 'gzip' } });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const plain = ask('/api/events?limit=1000');
  while (clock.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await clock.advance(1000);
  assert.equal(gunzipSync(Buffer.concat(chunks)).toString(), (await plain).text);
  const few = json<Events>(await ask('/api/events?limit=2'));
  assert.deepEqual(
    few.events.map(({ at }) => at),
    [499, 498],
  );
});

test('the socket has the mode that is configured, also after a reload, and goes with the page', async (t) => {
  const { running, config, ask, folder } = await startPage(t, 'unix:FOLDER/page.sock');
  const path = join(folder, 'page.sock');
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await running.reload({ ...config, mode: 0o600 });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const listen = parseBinding(`unix:${folder}/other.sock`) ?? assert.fail();
  await running.reload({ ...config, listen });
  assert.deepEqual([existsSync(path), (await ask('/api/state')).status], [false, 200]);
  await running.stop('shutdown');
  assert.equal(existsSync(join(folder, 'other.sock')), false);
});

test('what cannot be taken at a reload leaves everything as it was; a socket of somebody else stays his', async (t) => {
  const { running, config, ask, folder } = await startPage(t, 'unix:FOLDER/page.sock');
  const taken = join(folder, 'taken.sock');
  const other = createServer().listen(taken);
  t.after(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const refused = async (next: Partial<PageConfig>, code: string, text: RegExp): Promise<void> => {
    await assert.rejects(running.reload({ ...config, ...next }), (error: unknown) => {
      assert.ok(error instanceof NetstewardError && error.remedy !== undefined);
      assert.deepEqual([error.code, text.test(error.message)], [code, true], error.message);
      return true;
    });
    assert.equal((await ask('/api/state')).status, 200);
  };
  const at = (text: string) => ({ listen: parseBinding(text) ?? assert.fail(text) });
  await refused(at(`unix:${taken}`), 'page-not-listening', /somebody listens there already/);
  await refused(at(`unix:${folder}/token`), 'page-not-listening', /no socket/);
  await refused(at('192.0.2.77:0'), 'page-not-listening', /does not have that address/);
  await refused({ group: 'no-such-group' }, 'page-group-unknown', /no-such-group/);
  await refused({ token_file: join(folder, 'none') }, 'page-token-file', /does not exist/);
  assert.ok(existsSync(taken));
});

test('the present is asked for and packed once for all who ask within a second', async (t) => {
  const { ask, service } = await startPage(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/api/state')));
  assert.deepEqual(
    answers.map(({ headers }) => headers.etag),
    answers.map(() => answers[0]?.headers.etag),
  );
  assert.equal(service.asked, 1);
});

test('a netsteward that does not answer is a problem with its remedy, and the page goes on', async (t) => {
  const { ask, service } = await startPage(t);
  service.failure = new NetstewardError('not-running', 'no netsteward listens there', { remedy: 'Start it.' });
  const answer = await ask('/api/state');
  assert.deepEqual([answer.status, json(answer)], [503, { error: 'no netsteward listens there', remedy: 'Start it.' }]);
  service.failure = undefined;
  assert.equal((await ask('/api/state')).status, 200);
});

test('a group gets the socket, and one that does not exist is told with its remedy', async (t) => {
  const { running, config, folder } = await startPage(t, 'unix:FOLDER/page.sock');
  const path = join(folder, 'page.sock');
  // Its own: nobody needs a privilege for that.
  const { gid } = statSync(folder);
  await running.reload({ ...config, group: String(gid) });
  assert.equal(statSync(path).gid, gid);
  await assert.rejects(running.reload({ ...config, group: 'none-such' }), { remedy: /groupadd --system none-such/ });
});
