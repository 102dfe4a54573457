/** A lab with netsteward running in its router: what the end-to-end tests of the main job stand on. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { CurlRequest, CurlResult } from '../../src/lab/curl.ts';
import { Lab } from '../../src/lab/lab.ts';
import type { ServiceSpec } from '../../src/lab/service.ts';
import { tourOverrides } from '../../src/lab/tour.ts';
import type { StatusReport } from '../../src/supervisor/status-report.ts';
import { checkout, mainJs } from '../checkout.ts';

export interface RoutedLabOptions {
  readonly services: readonly ServiceSpec[];
  readonly checkList: string;
  /** More `KEY=VALUE` for `--set`, after the rehearsal's own. */
  readonly set?: readonly string[];
  /** Instead of netsteward.example.toml. */
  readonly config?: string;
  /** Before netsteward starts; `folder` is removed at the end. */
  readonly prepare?: (lab: Lab, folder: string) => Promise<void>;
}

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class RoutedLab {
  readonly lab: Lab;
  readonly folder: string;
  readonly checkList: string;
  readonly socket: string;
  /** Every line that netsteward logged, of all its lives. */
  readonly log: LogLine[] = [];
  readonly #arguments: readonly string[];
  #daemon: ChildProcess | undefined;

  private constructor(lab: Lab, folder: string, options: RoutedLabOptions) {
    this.lab = lab;
    this.folder = folder;
    this.checkList = join(folder, 'services.list');
    this.socket = join(folder, 'control.sock');
    const config = join(folder, 'netsteward.toml');
    writeFileSync(this.checkList, options.checkList);
    writeFileSync(config, options.config ?? readFileSync(join(checkout, 'netsteward.example.toml')));
    this.#arguments = [
      ...['run', '--config', config],
      ...tourOverrides({
        checkList: this.checkList,
        state: join(folder, 'nbrpc.db'),
        socket: this.socket,
        caFile: lab.caFile,
        resolvers: lab.resolvers,
        // At no time are all of them blocked.
        control: options.services.slice(0, 16).map(({ name }) => name),
      }),
      ...(options.set ?? []).flatMap((setting) => ['--set', setting]),
    ];
  }

  /** Resolves when netsteward is ready. End it with `down`, also after a failure of the test. */
  static async up(options: RoutedLabOptions): Promise<RoutedLab> {
    const folder = mkdtempSync('/tmp/netsteward-e2e-');
    const lab = await Lab.up({ stateDir: join(folder, 'lab'), services: options.services });
    const routed = new RoutedLab(lab, folder, options);
    try {
      await options.prepare?.(lab, folder);
      await routed.startDaemon();
    } catch (error) {
      await routed.down();
      throw error;
    }
    return routed;
  }

  get daemon(): ChildProcess {
    if (this.#daemon === undefined) throw new Error('netsteward was not started');
    return this.#daemon;
  }

  async startDaemon(): Promise<void> {
    const said: string[] = [];
    const daemon = this.lab.spawn('router', [process.execPath, mainJs, ...this.#arguments], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#daemon = daemon;
    await new Promise<void>((resolve, reject) => {
      let rest = '';
      const hear = (data: Buffer): void => {
        const lines = (rest + data.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          said.push(line);
          const parsed = parse(line);
          if (parsed === undefined) continue;
          this.log.push(parsed);
          if (parsed.event === 'ready') resolve();
        }
      };
      daemon.stdout?.on('data', hear);
      daemon.stderr?.on('data', hear);
      daemon.once('error', reject);
      daemon.once('close', (code) => reject(new Error(`netsteward ended with ${code}:\n${said.join('\n')}`)));
    });
  }

  /** Ends netsteward and waits for its end. */
  async endDaemon(signal: NodeJS.Signals): Promise<void> {
    const { daemon } = this;
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const closed = new Promise((resolve) => daemon.once('close', resolve));
    daemon.kill(signal);
    await closed;
  }

  async down(): Promise<void> {
    if (this.#daemon !== undefined) await this.endDaemon('SIGTERM');
    await this.lab.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  status(): Promise<StatusReport> {
    return new Promise((resolve, reject) => {
      const asking = request({ socketPath: this.socket, path: '/status' }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (data: string) => {
          text += data;
        });
        response.on('end', () => resolve(JSON.parse(text) as StatusReport));
      });
      asking.on('error', reject);
      asking.end();
    });
  }

  /** Runs a command in the router to a good end; gives its output. */
  async router(...argv: [string, ...string[]]): Promise<string> {
    const { code, stdout, stderr } = await this.lab.exec('router', argv);
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Elements of both sets that mean "goes around". */
  async blocked(table: readonly [string, string] = ['inet', 'netsteward-nbrpc']): Promise<string[]> {
    const listed = await Promise.all(
      ['blocked4', 'blocked6'].map((set) => this.router('nft', '-j', 'list', 'set', ...table, set)),
    );
    return listed
      .flatMap((json) => (JSON.parse(json) as { nftables: { set?: { elem?: string[] } }[] }).nftables)
      .flatMap(({ set }) => set?.elem ?? [])
      .sort();
  }

  /** Fetches again and again until the outcome is as wanted; fails with the last outcome after a minute and a half. */
  async fetchUntil(
    name: string,
    fetch: CurlRequest,
    wanted: string,
    good: (result: CurlResult) => boolean,
  ): Promise<CurlResult> {
    const end = Date.now() + 90_000;
    for (;;) {
      const result = await this.lab.curl(name, { timeout: 2500, ...fetch });
      if (good(result)) return result;
      if (Date.now() > end) {
        const recent = this.log.slice(-15).map((line) => JSON.stringify(line));
        assert.fail(`${name} never ${wanted}; at last ${JSON.stringify(result)}\n${recent.join('\n')}`);
      }
      await wait(200);
    }
  }
}

function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}
