/** THE module contract: what the supervisor asks of a module, and what it may count on. */
import type { Problem } from './diagnostic.ts';
import type { ActiveWarning } from './warnings.ts';

export const moduleNames = ['nbrpc', 'cgroup-nft', 'dyndns', 'dnstest', 'page'] as const;
export type ModuleName = (typeof moduleNames)[number];

/** A parsed TOML table: strings, numbers, bigints, booleans, dates, arrays, tables. */
export type ConfigTable = Readonly<Record<string, unknown>>;

export type Parsed<Config> =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** One observation of `netsteward check --host`. */
export interface Finding {
  readonly severity: 'ok' | 'warning' | 'error';
  readonly text: string;
  readonly remedy?: string;
}

/** What a module says of itself: cheap to make, plain data (it crosses threads, and goes out as JSON). */
export interface ModuleHealth {
  readonly ready: boolean;
  /** One line for systemd's STATUS and `netsteward status`. */
  readonly summary: string;
  readonly warnings: readonly ActiveWarning[];
  /** The module's own picture for `netsteward status`: JSON values only. */
  readonly detail: unknown;
}

export type StopReason = 'shutdown' | 'reload' | 'restart';

export interface RunningModule<Config> {
  /** All or nothing: when it rejects, the old configuration is still in force. */
  reload(next: Config): Promise<void>;
  /** No I/O: of a module that runs elsewhere, what it last said. */
  health(): ModuleHealth;
  /** Of a module that runs elsewhere: asks it, so that health() is of now. Resolves in any case, within seconds. */
  refresh?(): Promise<void>;
  /**
   * Does at once what somebody asks for beside what it does by itself, such as nbrpc's `check` of a host. Resolves with a line for
   * people once it is under way. Rejects with NetstewardError: `command-unknown` for a name that the module does not know,
   * others for what stands against it. Absent: it knows none.
   */
  command?(name: string, argument: string): Promise<string>;
  /** Never settles while the module runs; resolves after stop(), rejects when the module has crashed. */
  readonly done: Promise<void>;
  /** Idempotent; obeys `on_stop`. Resolves when nothing of the module runs any more. */
  stop(reason: StopReason): Promise<void>;
}

/**
 * `Host` names just the ports and values that this module uses; compose.ts makes them.
 * A module that is not started has no reload(): "reload before start" cannot be written.
 */
export interface ModuleDefinition<Config, Host, PreflightHost> {
  readonly name: ModuleName;
  /** Pure: the typed configuration, or every problem with its path inside the table. */
  parse(table: ConfigTable): Promise<Parsed<Config>>;
  /** A read-only look at the machine. */
  preflight(config: Config, host: PreflightHost): Promise<readonly Finding[]>;
  /** Resolves once the first reconcile is applied; rejects, with nothing left behind, if it cannot be. */
  start(config: Config, host: Host, signal: AbortSignal): Promise<RunningModule<Config>>;
}
