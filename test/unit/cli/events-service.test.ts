/** The whole service as a process: what it did is known after kill -9, and a broken history does not hurt it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askControl } from '../../../src/cli/control-client.ts';
import { statusOf } from '../../../src/cli/control-shapes.ts';
import { controlEvents, controlLines } from '../../../src/cli/events-stream.ts';
import { mainJs } from '../../checkout.ts';

/** A service with dyndns, which needs no privileges, and an empty zone. */
function place(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-service-'));
  const socket = join(folder, 'control.sock');
  const config = join(folder, 'n.toml');
  writeFileSync(join(folder, 'zone'), '');
  writeFileSync(
    config,
    '[control]\nsocket = "control.sock"\n[history]\nfile = "state/history.db"\n' +
      '[dyndns]\nbind = "127.0.0.1:0"\nstate = "dyndns.db"\n[[dyndns.zone]]\nfile = "zone"\n',
  );
  const children: ChildProcess[] = [];
  t.after(async () => {
    for (const child of children) await end(child, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const run = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [mainJs, 'run', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on('data', (chunk) => {
        said += String(chunk);
        if (/ready: dyndns/.test(said)) resolve();
      });
      child.once('exit', () => reject(new Error(said)));
    });
    return child;
  };
  const status = async () =>
    statusOf(socket, await askControl({ socket, method: 'GET', path: '/status', limit: 30_000 }));
  return { folder, socket, config, run, status };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill(signal);
  return ended;
}

async function codesOf(socket: string): Promise<string[]> {
  const codes: string[] = [];
  for await (const { code } of controlEvents({ socket, follow: false })) codes.push(code);
  return codes;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

/** Reads the file beside the service that writes it. */
function written(folder: string): number {
  const program = `
    import { SqliteStore } from ${JSON.stringify(new URL('../../../src/system/linux/sqlite.js', import.meta.url).href)};
    const database = new SqliteStore().open(${JSON.stringify(join(folder, 'state', 'history.db'))});
    process.stdout.write(String(database.prepare("SELECT count(*) AS n FROM event WHERE code = 'config-reloaded'").get().n));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return Number(stdout || '0');
}

test('after kill -9 the next start knows what was; a stop in good order is known to the last event', async (t) => {
  const { folder, socket, run } = place(t);
  const first = await run();
  await askControl({ socket, method: 'POST', path: '/reload', limit: 30_000 });
  while (written(folder) === 0) await pause();
  await end(first, 'SIGKILL');
  const second = await run();
  assert.deepEqual(
    (await codesOf(socket)).filter((code) => code === 'netsteward-started' || code === 'config-reloaded'),
    ['netsteward-started', 'config-reloaded', 'netsteward-started'],
  );
  assert.equal(await end(second, 'SIGTERM'), 0);
  await run();
  assert.ok((await codesOf(socket)).includes('netsteward-stopping'));
});

test('a damaged history is one warning with its remedy, and the service runs; a reload with another place ends it', async (t) => {
  const { folder, socket, config, run, status } = place(t);
  const garbage = join(folder, 'garbage');
  writeFileSync(garbage, 'this is no database, whatever its name says. '.repeat(200));
  writeFileSync(config, readFileSync(config, 'utf8').replace('state/history.db', 'garbage'));
  await run();
  let warnings = (await status()).warnings;
  while (warnings.length === 0) {
    await pause();
    warnings = (await status()).warnings;
  }
  assert.deepEqual(
    warnings.map(({ code, subject }) => [code, subject]),
    [['history-not-written', garbage]],
  );
  assert.match(warnings[0]?.remedy ?? '', /move a damaged file away/);
  assert.equal((await status()).ready, true);
  const codes = await codesOf(socket);
  assert.ok(codes.includes('netsteward-started') && codes.includes('warning-raised'), codes.join());
  const size = statSync(garbage).size;
  writeFileSync(config, readFileSync(config, 'utf8').replace('garbage', 'better.db'));
  await askControl({ socket, method: 'POST', path: '/reload', limit: 30_000 });
  assert.deepEqual((await status()).warnings, []);
  assert.ok((await codesOf(socket)).includes('netsteward-started'), 'what waited goes with it');
  assert.equal(statSync(garbage).size, size);
});

test('a second service on the same socket ends at once, and writes nothing into the history of the first', async (t) => {
  const { socket, config, run } = place(t);
  await run();
  const second = spawnSync(process.execPath, [mainJs, 'run', '-c', config], { encoding: 'utf8' });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /another netsteward is running/);
  assert.equal((await codesOf(socket)).filter((code) => code === 'netsteward-started').length, 1);
});

test('the metrics of a running service have its module in them', async (t) => {
  const { socket, run } = place(t);
  await run();
  const lines: string[] = [];
  for await (const line of controlLines({ socket, path: '/metrics', limit: 30_000 })) lines.push(line);
  assert.ok(lines.includes('netsteward_module_up{module="dyndns"} 1'), lines.join('\n'));
  assert.ok(lines.includes('netsteward_dyndns_records 0'), lines.join('\n'));
  assert.ok(
    lines.some((line) => /^netsteward_resident_memory_bytes [1-9]\d{6,}$/.test(line)),
    lines.join('\n'),
  );
});
