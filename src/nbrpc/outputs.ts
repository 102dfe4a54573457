/** What nbrpc writes beside its state: the state log, and the zone files. */
import type { WarningBoard } from '../core/warnings.ts';
import type { NbrpcConfig } from './config.ts';
import type { Learned } from './pass.ts';
import { passSettings } from './pass-settings.ts';
import type { NbrpcHost } from './ports.ts';
import type { State } from './state.ts';
import { StateLog } from './state-log.ts';
import { ZoneKeeper } from './zone-keeper.ts';

export class Outputs {
  readonly #config: NbrpcConfig;
  readonly #log: StateLog | undefined;
  readonly #zones: readonly ZoneKeeper[];

  /** Warnings of those before are cleared. `state`: as it stands when the log begins; `now`: seconds since the epoch. */
  constructor(
    host: Pick<NbrpcHost, 'output' | 'commands' | 'clock' | 'log'>,
    board: WarningBoard,
    config: NbrpcConfig,
    state: State,
    now: number,
  ) {
    this.#config = config;
    for (const code of ['state-log-failing', 'zone-not-written', 'zone-not-reloaded'] as const) {
      board.clearOthers(code, new Set());
    }
    const { output: files, commands, clock, log } = host;
    this.#zones = config.zone.map((zone) => new ZoneKeeper(zone, { files, commands, clock, board, log }));
    this.#log = stateLog(host, board, config);
    this.#log?.begin(state, now);
  }

  learned(learned: Learned, state: State): void {
    this.#log?.tell(learned, state);
  }

  /** Has the zone files hold this state; what failed before is tried again. */
  holdZones(state: State): void {
    for (const zone of this.#zones) zone.hold(state, this.#config.default_policy);
  }

  /** Resolves when everything is written, or could not be. */
  async close(): Promise<void> {
    await this.#log?.close();
    await Promise.all(this.#zones.map((zone) => zone.close()));
  }
}

function stateLog(
  { output: files }: Pick<NbrpcHost, 'output'>,
  board: WarningBoard,
  config: NbrpcConfig,
): StateLog | undefined {
  const { state_log: log } = config;
  if (log === undefined) return undefined;
  return new StateLog({
    files,
    path: log.file,
    maxSize: log.max_size,
    settings: passSettings(config),
    onState: (reason) => {
      if (reason === undefined) board.clear('state-log-failing', log.file);
      else board.raise('state-log-failing', log.file, { file: log.file, reason });
    },
  });
}

/** Whether a zone file may be written: a state that knows nothing yet must not empty it. */
export function knowsNames(state: State): boolean {
  for (const { addresses } of state.hosts()) if (addresses.size > 0) return true;
  return false;
}
