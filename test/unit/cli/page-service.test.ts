/** The status page in its thread, in the whole service as a process: it comes and goes with its table, and hurts nobody. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askControl } from '../../../src/cli/control-client.ts';
import { statusOf } from '../../../src/cli/control-shapes.ts';
import type { Events, PageState, Strips } from '../../../src/supervisor/page/shapes.ts';
import { mainJs } from '../../checkout.ts';

const token = 'the-token-of-this-test';

/** A service with dyndns, which needs no privileges; `page` is what stands in its table, undefined: there is none. */
function place(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-page-service-'));
  const [socket, config, pageSocket] = ['control.sock', 'n.toml', 'page.sock'].map((name) => join(folder, name));
  assert.ok(socket && config && pageSocket);
  writeFileSync(join(folder, 'zone'), '');
  writeFileSync(join(folder, 'token'), token);
  chmodSync(join(folder, 'token'), 0o600);
  const configure = (page: string | undefined): void =>
    writeFileSync(
      config,
      '[control]\nsocket = "control.sock"\n[history]\nfile = "history.db"\n' +
        '[dyndns]\nbind = "127.0.0.1:0"\nstate = "dyndns.db"\n[[dyndns.zone]]\nfile = "zone"\n' +
        (page === undefined ? '' : `[page]\nlisten = "unix:${pageSocket}"\n${page}\n`),
    );
  let child: ChildProcess | undefined;
  t.after(async () => {
    if (child !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true });
  });
  const run = async (): Promise<ChildProcess> => {
    child = spawn(process.execPath, [mainJs, 'run', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child?.stderr?.on('data', (chunk) => {
        said += String(chunk);
        if (/dyndns: module-running/.test(said)) resolve();
      });
      child?.once('exit', () => reject(new Error(said)));
    });
    return child;
  };
  const status = async () =>
    statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: 30_000 }));
  const reload = () => askControl({ socket, method: 'POST', path: '/reload', limit: 30_000 });
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, body?: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST';
      const call = request({ socketPath: pageSocket, path, method, headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          // What never ends is asked for its beginning.
          if (path === '/api/live' && text.includes('config-reloaded')) response.destroy();
        });
        response.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      call.on('error', reject);
      call.end(body);
    });
  return { folder, socket, pageSocket, configure, run, status, reload, ask };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test('the page shows the present, the history and what happens, and `netsteward page` leads to it', async (t) => {
  const { socket, pageSocket, configure, run, reload, ask, status } = place(t);
  configure('token_file = "token"');
  const child = await run();
  while (!(await status()).ready) await pause();
  const state = JSON.parse((await ask('/api/state')).text) as PageState;
  assert.deepEqual(
    state.modules.map((module) => [module.id, module.state]),
    [
      ['dyndns', 'running'],
      ['page', 'running'],
    ],
  );
  assert.match(state.dyndns?.listening ?? '', /^127\.0\.0\.1:\d+$/);
  const live = ask('/api/live');
  while (!JSON.stringify(await status()).includes('1 watching')) await pause();
  await reload();
  assert.match((await live).text, /^event: event\ndata: .*"config-reloaded"/m);
  const { events } = JSON.parse((await ask('/api/events')).text) as Events;
  assert.ok(events.some(({ code }) => code === 'netsteward-started'));
  let strips: Strips;
  do strips = JSON.parse((await ask('/api/strips?days=1')).text) as Strips;
  while (/There is no history yet/.test(strips.problem));
  assert.equal(strips.problem, '');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const check = await ask('/api/check', headers, '{"host":"a.example"}');
  assert.deepEqual(
    [check.status, JSON.parse(check.text)],
    [409, { error: 'nbrpc is not on', remedy: 'Add the table [nbrpc].' }],
  );
  const { stdout } = spawnSync(process.execPath, [mainJs, 'page', '--socket', socket], { encoding: 'utf8' });
  assert.ok(stdout.includes(`ssh -L 8053:${pageSocket} `), stdout);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0, 'somebody who watches does not hold up the end');
});

test('the page comes and goes by reload, and `netsteward page` says when it is off', async (t) => {
  const { socket, configure, run, reload, ask } = place(t);
  configure(undefined);
  await run();
  await assert.rejects(ask('/api/state'));
  const off = spawnSync(process.execPath, [mainJs, 'page', '--socket', socket], { encoding: 'utf8' });
  assert.deepEqual([off.status, /the status page is off/.test(off.stderr)], [1, true], off.stderr);
  configure('');
  assert.equal((await reload()).status, 200);
  assert.equal((await ask('/api/state')).status, 200);
  configure('group = "no-such-group"');
  const rejected = await reload();
  assert.equal(rejected.status, 409);
  assert.match(JSON.stringify(rejected.body), /there is no group no-such-group/);
  assert.equal((await ask('/api/state')).status, 200);
  configure(undefined);
  assert.equal((await reload()).status, 200);
  await assert.rejects(ask('/api/state'));
});

test('a page that cannot listen is told with its remedy and tried again, while the rest runs', async (t) => {
  const { pageSocket, configure, run, status, ask } = place(t);
  const other = createServer().listen(pageSocket);
  await new Promise((resolve) => other.once('listening', resolve));
  configure('');
  await run();
  const page = async () => (await status()).modules.find(({ name }) => name === 'page');
  while ((await page())?.lastError === undefined) await pause();
  assert.match((await page())?.lastError ?? '', /page\.sock: somebody listens there already \(Name another place/);
  assert.equal((await status()).modules.find(({ name }) => name === 'dyndns')?.state, 'running');
  await new Promise((resolve) => other.close(resolve));
  while ((await page())?.state !== 'running') await pause();
  assert.equal((await ask('/api/state')).status, 200);
});
