/** `netsteward lab …` as people type it, against a real kernel. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './lab-fixture.ts';

const program = join(dirname(fileURLToPath(import.meta.url)), `lab-program${extname(import.meta.url)}`);
const state = join(scratchFolder(), 'lab');

/** `lab COMMAND --state FOLDER REST…`: what it printed, and its exit code. */
function lab(command: string, ...rest: string[]): { code: number | null; out: string; err: string } {
  return feed('', command, ...rest);
}

function feed(input: string, command: string, ...rest: string[]): { code: number | null; out: string; err: string } {
  const argv = [program, 'lab', command, '--state', state, ...rest];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', input });
  return { code: status, out: stdout, err: stderr };
}

after(() => lab('down'));

test('up, a look around, censorship, and down', () => {
  const up = lab('up');
  assert.equal(up.code, 0, up.err);
  assert.match(up.out, /The lab is up[\s\S]*video\.example/);
  assert.match(lab('up').err, /runs already[\s\S]*lab down/);

  const status = lab('status').out;
  assert.match(status, /router +lan +to lan +192\.168\.77\.1/);
  assert.match(status, /video\.example +62\./);
  assert.match(status, /Censored:\n {2}nothing/);
  assert.equal(JSON.parse(lab('status', '--json').out).services.length, 4);

  assert.match(lab('curl', 'video.example').out, /: 200, 98304 bytes in \d+ ms, direct\n/);
  assert.equal(lab('censor', 'video.example', 'rst').out, 'video.example: rst.\n');
  const failed = lab('curl', 'video.example', '-4');
  assert.deepEqual([failed.code, /failed after \d+ ms: refused/.test(failed.out)], [1, true], failed.out);
  assert.match(lab('status').out, /Censored:\n {2}video\.example: rst/);
  assert.equal(lab('censor', 'video.example', 'none').out, 'video.example passes.\n');
  assert.equal(lab('curl', 'video.example', '--http', '--host', 'router').code, 0);

  assert.equal(lab('dns', 'video.example', 'addresses', '10.0.0.1').code, 0);
  assert.match(lab('status').out, /DNS:\n {2}video\.example: addresses, addresses 10\.0\.0\.1/);

  const exec = feed('hello\n', 'exec', 'router', '--', 'sh', '-c', 'cat; ls /sys/class/net; exit 7');
  assert.equal(exec.code, 7);
  assert.match(exec.out, /^hello\nlan\nlo\ntunnel\ntunnel2\nuplink\n$/);

  assert.equal(lab('down').code, 0);
  assert.ok(!existsSync(state));
});

test('what cannot be done says so, with the exit code of its kind', () => {
  const down = lab('down');
  assert.deepEqual([down.code, down.err.split('\n')[1]], [1, 'Bring one up with: netsteward lab up']);
  for (const [message, ...argv] of [
    [/Allowed choices are none, drop/, 'censor', 'video.example', 'slow'],
    [/Allowed choices are lan, router/, 'exec', 'mars', '--', 'true'],
    [/rotate takes one number/, 'dns', 'video.example', 'rotate'],
    [/--path starts with/, 'curl', 'video.example', '--path', 'x'],
  ] as const) {
    const [command, ...rest] = argv;
    const { code, err } = lab(command, ...rest);
    assert.match(err, message);
    assert.equal(code, 64, err);
  }
});

test('up --foreground stays until it is interrupted, and serves what it was asked to', async () => {
  const argv = [program, 'lab', 'up', '--state', state, '--foreground', '--service', 'a.example', 'b.example'];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  while (!out.includes('Ctrl-C')) await once(child.stdout, 'data');
  assert.match(out, /serves a\.example, b\.example\./);
  assert.equal(lab('curl', 'b.example').code, 0);
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.ok(!existsSync(state));
});
