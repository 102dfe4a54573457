/** A module together with the makers of its ports: all that the supervisor needs to know of it. */
import type { ConfigTable, Finding, ModuleDefinition, ModuleName, Parsed, RunningModule } from '../core/module.ts';

/**
 * Called with why it had to end where what a start began was killed and is still there: a thread or process that the kernel does
 * not let go. Called with undefined when it has gone after all.
 */
export type ToldStuck = (reason: string | undefined) => void;

/** `config` is what `parse` of the same module gave. */
export interface BoundModule {
  readonly name: ModuleName;
  /** Keys that hold file names, as dotted paths inside the module's table; `*` stands for each element of an array. */
  readonly paths: readonly string[];
  parse(table: ConfigTable): Promise<Parsed<unknown>>;
  preflight(config: unknown): Promise<readonly Finding[]>;
  /** `toldStuck` may be called at any time, from the start on. */
  start(config: unknown, signal: AbortSignal, toldStuck?: ToldStuck): Promise<RunningModule<unknown>>;
}

/** One line a module in the registry (cli/compose.ts): loads the module's code only when something asks for it. */
export type ModuleRegistry = ReadonlyMap<ModuleName, () => Promise<BoundModule>>;

export interface Binding<Config, Host, PreflightHost> {
  readonly definition: ModuleDefinition<Config, Host, PreflightHost>;
  readonly paths: readonly string[];
  /** Makes the ports for one start. */
  host(config: Config): Promise<Host>;
  /** Makes the ports for one look at the machine: they only read. */
  preflightHost(config: Config): Promise<PreflightHost>;
}

/** Closes over the ports, so that the supervisor can treat all modules alike. */
export function bindModule<Config, Host, PreflightHost>(binding: Binding<Config, Host, PreflightHost>): BoundModule {
  const { definition } = binding;
  // The supervisor hands a module nothing but what its own parse() made.
  const own = (config: unknown): Config => config as Config;
  return {
    name: definition.name,
    paths: binding.paths,
    parse: async (table) => definition.parse(table),
    preflight: async (config) => definition.preflight(own(config), await binding.preflightHost(own(config))),
    async start(config, signal) {
      const running = await definition.start(own(config), await binding.host(own(config)), signal);
      return {
        reload: (next) => running.reload(own(next)),
        health: () => running.health(),
        done: running.done,
        stop: (reason) => running.stop(reason),
        ...(running.command === undefined
          ? {}
          : { command: async (name, argument) => running.command?.(name, argument) ?? '' }),
      };
    },
  };
}
