/** The status page over real sockets, with a service behind it that a test speaks for. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pageFiles } from '../../../../src/cli/compose-page.ts';
import type { NetstewardEvent } from '../../../../src/core/events.ts';
import type { RunningModule } from '../../../../src/core/module.ts';
import { parseBinding } from '../../../../src/supervisor/page/binding.ts';
import { type PageConfig, type PageControl, pageModule } from '../../../../src/supervisor/page/index.ts';
import type { StatusReport } from '../../../../src/supervisor/status-report.ts';
import { openReader } from '../../../../src/system/linux/sqlite-read.ts';
import { FakeClock } from '../../../fakes/fake-clock.ts';
import { MemoryLog } from '../../../fakes/memory-log.ts';
import { quietReport } from '../../../fakes/quiet-report.ts';

export const token = 'the-token-of-this-test';

/** What the control socket of the service would say. */
export class Service implements PageControl {
  report: StatusReport = quietReport;
  failure: Error | undefined;
  asked = 0;
  readonly commands: (readonly string[])[] = [];
  commandError: Error | undefined;
  past: NetstewardEvent[] = [];
  #tell: ((event: NetstewardEvent) => void) | undefined;

  async status(): Promise<StatusReport> {
    this.asked += 1;
    if (this.failure !== undefined) throw this.failure;
    return this.report;
  }

  async events(limit: number): Promise<readonly NetstewardEvent[]> {
    return this.past.slice(-limit);
  }

  async *follow(signal: AbortSignal): AsyncGenerator<NetstewardEvent> {
    while (!signal.aborted) {
      yield await new Promise<NetstewardEvent>((resolve, reject) => {
        this.#tell = resolve;
        signal.addEventListener('abort', () => reject(new Error('over')), { once: true });
      });
    }
  }

  happens(event: NetstewardEvent): void {
    this.#tell?.(event);
  }

  async command(...words: readonly [string, string, string]): Promise<string> {
    this.commands.push(words);
    if (this.commandError !== undefined) throw this.commandError;
    return 'checking';
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface PageUnderTest {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly service: Service;
  readonly running: RunningModule<PageConfig>;
  readonly config: PageConfig;
  readonly ask: (path: string, asked?: Asked) => Promise<Answer>;
  /** The connection while it goes on, and what has come over it so far. */
  readonly open: (
    path: string,
    asked?: Asked,
  ) => Promise<{ readonly response: IncomingMessage; readonly text: () => string }>;
}

/** `listen`: `FOLDER` in it is a folder of this test's own. */
export async function startPage(
  t: TestContext,
  listen = '127.0.0.1:0',
  more: Partial<PageConfig> = {},
): Promise<PageUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'netsteward-page-'));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${token}\n`);
  chmodSync(tokenFile, 0o600);
  const binding = parseBinding(listen.replace('FOLDER', folder));
  if (binding === undefined) throw new Error(listen);
  const config: PageConfig = {
    listen: binding,
    allow_remote: false,
    token_file: tokenFile,
    mode: 0o660,
    service: { socket: join(folder, 'none'), history: join(folder, 'history.db') },
    ...more,
  };
  const clock = new FakeClock(Date.UTC(2026, 0, 10, 12));
  const service = new Service();
  const assets = new Map([
    ['/', { type: 'text/html; charset=utf-8', bytes: Buffer.from('<!doctype html><title>netsteward</title>') }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', bytes: Buffer.from(`'${'long '.repeat(1000)}';`) }],
  ]);
  const host = {
    ...pageFiles,
    assets: async () => assets,
    clock,
    log: new MemoryLog(),
    openHistory: openReader,
    openControl: () => service,
  };
  const running = await pageModule.start(config, host, new AbortController().signal);
  t.after(async () => {
    await running.stop('shutdown');
    rmSync(folder, { recursive: true });
  });
  const open = (path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { listen: where } = running.health().detail as { readonly listen: string };
      const now = parseBinding(where);
      const target =
        now?.kind === 'tcp'
          ? { host: now.address, port: now.port }
          : { socketPath: now?.path ?? '', host: 'localhost' };
      const call = request({ ...target, path, method, headers, agent: false }, resolve);
      call.on('error', reject);
      call.end(body);
    });
  return {
    folder,
    clock,
    service,
    running,
    config,
    async ask(path, asked) {
      const response = await open(path, asked);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const { statusCode = 0, headers } = response;
      return { status: statusCode, headers, text: Buffer.concat(chunks).toString() };
    },
    async open(path, asked) {
      const response = await open(path, asked);
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', () => undefined);
      return { response, text: () => text };
    },
  };
}

/** Until `holds`; the test's own time limit is the only one. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
