/** netsteward as it is built, spawned in a folder of its own: what the tests of bad input and hostile input play with. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { StatusReport } from '../../src/supervisor/status-report.ts';
import { mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';

/** Host names that are addresses need no resolver, and `=na` no check. */
export const ownTable: readonly string[] = ['[nbrpc.table]', 'exempt_source_ports = "61000-64999"'];
export const administratorsSets: readonly string[] = [
  '[nbrpc.sets]',
  'family = "inet"',
  'table = "filter"',
  'blocked4 = "blocked4"',
  'blocked6 = "blocked6"',
];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class HostileFolder {
  readonly path: string = mkdtempSync('/tmp/netsteward-hostile-');
  readonly list: string = join(this.path, 'services.list');
  readonly state: string = join(this.path, 'state', 'nbrpc.db');
  readonly config: string = join(this.path, 'netsteward.toml');
  readonly #daemons: Daemon[] = [];

  constructor(sink: readonly string[] = ownTable) {
    mkdirSync(join(this.path, 'state'));
    this.writeList('8.1.0.1=na\n');
    this.writeConfig(sink);
  }

  writeConfig(sink: readonly string[]): void {
    const lines = [
      '[history]',
      'off = true',
      '[log]',
      'format = "pretty"',
      '[control]',
      'socket = "./control.sock"',
      '[nbrpc]',
      'check_lists = ["./services.list"]',
      'state = "./state/nbrpc.db"',
      'schedule = "original"',
      '[nbrpc.timers]',
      'pass = "200ms"',
      'host_addrs = "200ms"',
      'host_na_state = "0s"',
      '[nbrpc.check]',
      'timeout = "30s"',
      '[nbrpc.resolver]',
      'servers = ["127.0.0.1:9"]',
      '[nbrpc.control]',
      'services = []',
      ...sink,
    ];
    writeFileSync(this.config, `${lines.join('\n')}\n`);
  }

  writeList(content: string | Uint8Array): void {
    writeFileSync(this.list, content);
  }

  /** `before`: a command that runs it, such as `setpriv …`. */
  run(args: readonly string[] = [], before: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Daemon {
    const daemon = new Daemon(join(this.path, 'control.sock'), [...before, ...this.command('run', ...args)], env);
    this.#daemons.push(daemon);
    return daemon;
  }

  command(name: string, ...args: readonly string[]): string[] {
    return [process.execPath, mainJs, name, '--config', this.config, ...args];
  }

  /** `check`, to its end. */
  check(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
    const [program = '', ...rest] = this.command('check', ...args);
    const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', timeout: 20_000 });
    return { code: status, output: stdout + stderr };
  }

  async remove(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.end('SIGKILL');
    rmSync(this.path, { recursive: true, force: true });
  }
}

export class Daemon {
  /** Everything that it has written to its log. */
  log = '';
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #socket: string;

  constructor(socket: string, command: readonly string[], env: NodeJS.ProcessEnv) {
    const [program = '', ...args] = command;
    this.#socket = socket;
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    }
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Waits until the log has this. */
  async says(pattern: RegExp): Promise<void> {
    const details = (): string => this.log.slice(-3000);
    await eventually(`the log says ${pattern}`, () => pattern.test(this.log), { details });
  }

  async ready(): Promise<this> {
    await this.says(/ready: nbrpc/);
    return this;
  }

  /** Process ids of its children: nft-agent. */
  children(): number[] {
    const { stdout } = spawnSync('pgrep', ['-P', String(this.child.pid)], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  async end(signal: NodeJS.Signals): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }

  status(): Promise<StatusReport> {
    return new Promise((resolve, reject) => {
      const asking = request({ socketPath: this.#socket, path: '/status' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data: string) => {
          text += data;
        });
        response.on('end', () => resolve(JSON.parse(text) as StatusReport));
      });
      asking.on('error', reject);
      asking.end();
    });
  }

  /** Waits for a warning of this code, and gives its text. */
  async warning(code: string): Promise<string> {
    return eventually(
      `a warning ${code}`,
      async () => (await this.status()).warnings.find((warning) => warning.code === code)?.text,
    );
  }
}

/** A default route to a link on which nobody answers: checks hang there, and the own side counts as up. */
export function wireNowhere(): void {
  const wiring =
    'ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip addr add 198.51.100.1/24 dev v0;' +
    'ip route add default via 198.51.100.2; ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent';
  const { status, stderr } = spawnSync('bash', ['-ec', wiring], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

export function nft(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('nft', args, { encoding: 'utf8' });
  assert.equal(status, 0, `nft ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Elements of a set, sorted; undefined where there is no such set. */
export function elements(table: string, set: string): string[] | undefined {
  const { status, stdout } = spawnSync('nft', ['-j', 'list', 'set', 'inet', table, set], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const { nftables } = JSON.parse(stdout) as { nftables: { set?: { elem?: string[] } }[] };
  return nftables.flatMap((each) => each.set?.elem ?? []).sort();
}
