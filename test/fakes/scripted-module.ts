/** A module for tests of carriers: it runs elsewhere, out of a test's reach, so its configuration tells it what to do. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { NetstewardError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/log.ts';
import type { ModuleHealth, RunningModule, StopReason } from '../../src/core/module.ts';
import type { BoundModule } from '../../src/supervisor/bound-module.ts';

export interface Script {
  /** What it does at its start, or at a reload; nothing else where absent. */
  readonly act?: Act;
  /** Shown by `detail`. */
  readonly value?: unknown;
  /** Where it writes down with what reason it was stopped. */
  readonly file?: string;
}

export type Act =
  | 'refuse'
  | 'throw'
  | 'wait'
  | 'block'
  | 'crash'
  | 'uncaught'
  | 'exit'
  | 'fill'
  | 'fill-slowly'
  | 'log'
  | 'speak'
  | 'spawn'
  | 'sick'
  | 'deaf';

export interface ScriptedDetail {
  readonly value: unknown;
  readonly reloads: number;
  readonly pid: number;
  readonly child: number | undefined;
  readonly env: string | undefined;
}

export function scriptedModule(log: Logger): BoundModule {
  return {
    name: 'dyndns',
    paths: [],
    parse: async (table) => ({ ok: true, config: table }),
    preflight: async () => [],
    start: async (config, signal) => {
      const script = config as Script;
      const running = new Running(log, script);
      if (script.act === 'wait') {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
      await running.act(script);
      return running;
    },
  };
}

class Running implements RunningModule<unknown> {
  readonly done: Promise<void>;
  readonly #log: Logger;
  #script: Script;
  #reloads = 0;
  #child: number | undefined;
  #end: () => void = () => undefined;
  #crash: (error: Error) => void = () => undefined;

  constructor(log: Logger, script: Script) {
    this.#log = log.child({ module: 'dyndns' });
    this.#script = script;
    this.done = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#crash = reject;
    });
    this.done.catch(() => undefined);
  }

  async reload(next: unknown): Promise<void> {
    const script = next as Script;
    await this.act(script);
    this.#script = { ...this.#script, ...script };
    this.#reloads += 1;
  }

  health(): ModuleHealth {
    if (this.#script.act === 'sick') throw new Error('it does not know how it is');
    const detail: ScriptedDetail = {
      value: this.#script.value,
      reloads: this.#reloads,
      pid: process.pid,
      child: this.#child,
      env: process.env.NODE_CHANNEL_FD,
    };
    return { ready: true, summary: `${this.#reloads} reloads`, warnings: [], detail };
  }

  async command(name: string, argument: string): Promise<string> {
    if (name === 'echo') return `${argument} (${process.pid})`;
    throw new NetstewardError('command-unknown', `no command "${name}"`, { remedy: 'Say echo.' });
  }

  async stop(reason: StopReason): Promise<void> {
    const { file, act } = this.#script;
    if (file !== undefined) writeFileSync(file, reason);
    if (act === 'deaf') await new Promise(() => undefined);
    this.#end();
  }

  async act({ act, value }: Script): Promise<void> {
    switch (act) {
      case 'refuse':
        throw new NetstewardError('set-missing', 'there is no set b4', { remedy: 'Add it.' });
      case 'throw':
        throw new TypeError('nobody foresaw this');
      case 'block':
        for (;;);
      case 'crash':
        this.#crash(new NetstewardError('line-cut', 'the line was cut', { remedy: 'Mend it.' }));
        break;
      case 'uncaught':
        setImmediate(() => {
          throw new RangeError('nobody caught this');
        });
        return new Promise(() => undefined);
      case 'exit':
        return process.exit(7);
      case 'fill':
        return fill();
      case 'fill-slowly':
        // Not awaited: the module goes on meanwhile.
        fillSlowly().catch((error: Error) => this.#crash(error));
        break;
      case 'log':
        this.#log.debug('seen', { value });
        this.#log.warn('failed', { error: new NetstewardError('line-cut', 'the line was cut') });
        this.#log.error('crossed', { odd: () => 1, value: 1 });
        break;
      case 'speak':
        process.stderr.write(`${String(value)}\n`);
        break;
      case 'spawn':
        this.#child = spawn('cat', { stdio: 'pipe', detached: true }).pid;
    }
  }
}

/** Each one small: V8 can always make the little room that ending the thread takes. */
function fill(): never {
  const all: unknown[] = [];
  for (;;) all.push({ more: [all.length] });
}

/** As a module leaks: with pauses, in which others get their turn. */
async function fillSlowly(): Promise<never> {
  let all: unknown;
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    for (let step = 0; step < 2000; step++) all = { more: [step], all };
  }
}
