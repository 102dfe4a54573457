/** `netsteward run` as a process: readiness, reload, a second instance, and a stop that leaves nothing behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { StatusReport } from '../../src/supervisor/status-report.ts';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

// Node has no unix datagram sockets: what systemd would hear, one JSON string a line.
const listener = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

import { eventually } from '../system/eventually.ts';

function inside(): void {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-run-'));
  const config = join(folder, 'netsteward.toml');
  const socket = join(folder, 'control.sock');
  const good = `[history]
off = true
[control]
socket = "control.sock"
[log]
format = "json"
[nbrpc]
check_lists = ["services.list"]
state = "state/nbrpc.db"
on_stop = "flush"
`;
  const heard: string[] = [];
  const lines: Record<string, unknown>[] = [];
  let ear: ChildProcess;
  let service: ChildProcess;

  function netsteward(...args: string[]) {
    return spawnSync(process.execPath, [mainJs, ...args], { encoding: 'utf8' });
  }

  const status = (): StatusReport =>
    JSON.parse(netsteward('status', '--json', '--socket', socket).stdout) as StatusReport;

  // Whatever else is wrong in a namespace without a network is not of interest here.
  const codes = (): string[] => status().warnings.map((warning) => warning.code);

  before(async () => {
    const notify = join(folder, 'notify.sock');
    ear = spawn('python3', ['-c', listener, notify], { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.ok(ear.stdout);
    createInterface(ear.stdout).on('line', (line) =>
      heard.push(line === 'bound' ? line : (JSON.parse(line) as string)),
    );
    await eventually('the listener listens', () => heard.shift());
    writeFileSync(config, good);
    writeFileSync(join(folder, 'services.list'), '');
    const env = { ...process.env, NOTIFY_SOCKET: notify, WATCHDOG_USEC: '400000' };
    service = spawn(process.execPath, [mainJs, 'run', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'], env });
    assert.ok(service.stderr);
    createInterface(service.stderr).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  });

  after(() => {
    service?.kill('SIGKILL');
    ear?.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  test('READY is told once the first reconcile is applied, and then the watchdog is fed', async () => {
    await eventually('READY', () => heard.find((message) => message.includes('READY=1')));
    const tables = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout;
    assert.match(tables, /table inet netsteward-nbrpc/);
    await eventually('WATCHDOG', () => heard.find((message) => message === 'WATCHDOG=1'));
    assert.equal(status().ready, true);
  });

  test('a second instance is refused with a clear message, and the first goes on', () => {
    const second = netsteward('run', '-c', config);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /another netsteward is running: it listens on .*control\.sock/);
    assert.equal(status().ready, true);
  });

  test('a wrong configuration is rejected by reload with its place, and nothing changes', () => {
    writeFileSync(config, `${good}colour = 1\n`);
    const { status: code, stderr } = netsteward('reload', '--socket', socket);
    assert.equal(code, 78);
    assert.match(stderr, /netsteward\.toml:11:1: nbrpc\.colour: unknown key/);
    assert.ok(codes().includes('reload-rejected'));
  });

  test('a good configuration is taken by SIGHUP: RELOADING, then READY, and the log level changes', async () => {
    writeFileSync(config, good.replace('format', 'level = "debug"\nformat'));
    service.kill('SIGHUP');
    await eventually('reloaded', () => lines.find((line) => line.event === 'reloaded'));
    // At the start, around the rejected reload, and around this one.
    const order = await eventually('five words of state', () => {
      const states = heard.flatMap((message) => /^(?:RELOADING|READY)/.exec(message)?.[0] ?? []);
      return states.length < 5 ? undefined : states;
    });
    assert.deepEqual(order, ['READY', 'RELOADING', 'READY', 'RELOADING', 'READY']);
    await eventually('a line of level debug', () => lines.find((line) => line.level === 'debug'));
    assert.match(heard.find((message) => message.startsWith('RELOADING')) ?? '', /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    assert.ok(!codes().includes('reload-rejected'));
  });

  test('SIGTERM ends it with exit code 0, and socket, table and child are gone', async () => {
    const exit = once(service, 'exit');
    service.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
    assert.ok(heard.some((message) => message.startsWith('STOPPING=1')));
    assert.equal(existsSync(socket), false);
    assert.doesNotMatch(spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout, /netsteward/);
    const { stdout } = spawnSync(
      'pgrep',
      ['-f', 'nft-agent --supervised', '--ns', String(process.pid), '--nslist', 'net'],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(stdout, '');
    assert.equal(netsteward('status', '--socket', socket).status, 1);
  });
}

if (insideNamespace) inside();
else test('run, in a namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
