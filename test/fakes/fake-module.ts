/** A module that does what a test tells it to: starts, refuses, hangs, crashes. */
import type {
  ConfigTable,
  Finding,
  ModuleHealth,
  ModuleName,
  Parsed,
  RunningModule,
  StopReason,
} from '../../src/core/module.ts';
import type { BoundModule } from '../../src/supervisor/bound-module.ts';

export class FakeModule implements BoundModule {
  readonly name: ModuleName;
  readonly paths: readonly string[] = ['file', 'files.*'];
  /** `start`, `reload …`, `stop …`, with the configuration as JSON. */
  readonly calls: string[] = [];
  findings: readonly Finding[] = [];
  /** Rejections of the next starts, in order; undefined starts well. */
  startErrors: (Error | undefined)[] = [];
  reloadError: Error | undefined;
  healthError: Error | undefined;
  hangOnStart = false;
  hangOnStop = false;
  warnings: ModuleHealth['warnings'] = [];
  /** Of modules that are started from now on; none where undefined. */
  command: RunningModule<unknown>['command'] | undefined;
  #crash: ((error: Error) => void) | undefined;
  #end: () => void = () => undefined;

  constructor(name: ModuleName) {
    this.name = name;
  }

  async parse(table: ConfigTable): Promise<Parsed<ConfigTable>> {
    const problems = Object.entries(table).flatMap(([key, value]) =>
      value === 'bad' ? [{ path: [key], message: 'must not be bad' }] : [],
    );
    return problems.length > 0 ? { ok: false, problems } : { ok: true, config: table };
  }

  async preflight(): Promise<readonly Finding[]> {
    return this.findings;
  }

  async start(config: unknown, signal: AbortSignal) {
    this.calls.push(`start ${JSON.stringify(config)}`);
    if (this.hangOnStart) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    }
    const error = this.startErrors.shift();
    if (error !== undefined) throw error;
    const done = new Promise<void>((resolve, reject) => {
      this.#end = resolve;
      this.#crash = reject;
    });
    return {
      ...(this.command === undefined ? {} : { command: this.command }),
      reload: async (next: unknown): Promise<void> => {
        this.calls.push(`reload ${JSON.stringify(next)}`);
        if (this.reloadError !== undefined) throw this.reloadError;
      },
      health: (): ModuleHealth => {
        if (this.healthError !== undefined) throw this.healthError;
        return { ready: true, summary: `${this.name} is well`, warnings: this.warnings, detail: undefined };
      },
      done,
      stop: async (reason: StopReason): Promise<void> => {
        this.calls.push(`stop ${reason}`);
        if (this.hangOnStop) await new Promise(() => undefined);
        this.#end();
      },
    };
  }

  /** Ends the running module with this error. */
  crash(error: Error): void {
    this.#crash?.(error);
  }

  /** Ends the running module without anybody having asked it to. */
  end(): void {
    this.#end();
  }
}
