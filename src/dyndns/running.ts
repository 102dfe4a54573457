/** dyndns while it runs in the supervisor: a socket, a server behind it, reload, health, stop. */
import type { ModuleHealth, RunningModule, StopReason } from '../core/module.ts';
import { WarningBoard } from '../core/warnings.ts';
import type { UdpSocket, UdpSockets } from '../system/dyndns-ports.ts';
import { readBind } from './binding.ts';
import type { DyndnsConfig } from './config.ts';
import { drained } from './drain.ts';
import { policiesOf } from './key-policies.ts';
import type { DyndnsPorts } from './ports.ts';
import { DyndnsServer, type ServerSettings } from './server.ts';
import { dyndnsDetail } from './status.ts';

export interface DyndnsHost extends DyndnsPorts {
  readonly sockets: UdpSockets;
}

const dnsPort = 53;

export class RunningDyndns implements RunningModule<DyndnsConfig> {
  readonly done: Promise<void>;
  readonly #host: DyndnsHost;
  readonly #board: WarningBoard;
  #config: DyndnsConfig;
  #server: DyndnsServer;
  #socket: UdpSocket | undefined;
  #stopping: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } = { resolve: () => {}, reject: () => {} };

  private constructor(host: DyndnsHost, config: DyndnsConfig, server: DyndnsServer) {
    this.#host = host;
    this.#config = config;
    this.#server = server;
    // The server has told the log already, when it happened.
    this.#board = new WarningBoard(
      () => host.clock.now(),
      () => {},
    );
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // The supervisor looks at it; without it a crash must not end the process before stop() has cleaned up.
    this.done.catch(() => {});
  }

  /** Rejects with NetstewardError `udp-not-bound`, `zone-*`, `state-file-*`, `replay-state-*`; nothing is left behind then. */
  static async start(config: DyndnsConfig, host: DyndnsHost, signal: AbortSignal): Promise<RunningDyndns> {
    const server = await DyndnsServer.open(host, settingsOf(config));
    const running = new RunningDyndns(host, config, server);
    try {
      signal.throwIfAborted();
      running.#socket = await running.#listen(config.bind);
      signal.throwIfAborted();
      return running;
    } catch (error) {
      await running.stop('shutdown');
      throw error;
    }
  }

  async reload(next: DyndnsConfig): Promise<void> {
    // Its update command does not run beside that of the new one; if it takes too long, the rest is in the state.
    await drained(this.#server, this.#host.clock);
    // Both may be open for a moment: they share the state file, and lock the zones.
    const server = await DyndnsServer.open(this.#host, settingsOf(next));
    if (next.bind !== this.#config.bind) {
      try {
        const socket = await this.#listen(next.bind);
        await this.#socket?.close();
        this.#socket = socket;
      } catch (error) {
        await server.stop();
        throw error;
      }
    }
    const before = this.#server;
    this.#server = server;
    this.#config = next;
    // Packets that it got while the new one was opened.
    await drained(before, this.#host.clock);
    await before.stop();
  }

  health(): ModuleHealth {
    const server = this.#server;
    const detail = dyndnsDetail(this.#socket?.local ?? 'nowhere', server.views, server.state, server.counts);
    for (const { code, subject, reason } of server.troubles) {
      this.#board.raise(code, subject, { file: subject, reason });
    }
    for (const code of ['dyndns-zone-unusable', 'dyndns-zone-not-written', 'dyndns-not-published'] as const) {
      const held = server.troubles.filter((trouble) => trouble.code === code);
      this.#board.clearOthers(code, new Set(held.map(({ subject }) => subject)));
    }
    const { accepted = 0 } = server.counts;
    const keys = new Set(
      server.views.flatMap(({ zone }) => zone.blocks.flatMap((block) => block.keys.map(({ id }) => id))),
    );
    return {
      ready: true,
      summary: `${detail.nameCount} record(s) of ${keys.size} key(s) on ${detail.listening}, ${accepted} update(s) since the start`,
      warnings: this.#board.list(),
      detail,
    };
  }

  stop(_reason: StopReason): Promise<void> {
    this.#stopping ??= (async () => {
      await this.#socket?.close();
      if (this.#socket !== undefined) await drained(this.#server, this.#host.clock);
      await this.#server.stop();
      this.#settle.resolve();
    })();
    return this.#stopping;
  }

  #listen(bind: string): Promise<UdpSocket> {
    // parse() has taken no other.
    const { address, port } = readBind(bind) ?? { address: '::', port: 0 };
    return this.#host.sockets.open(
      { address, port },
      {
        datagram: (bytes, source) => this.#server.datagram(bytes, source),
        failed: (error) => this.#settle.reject(error),
      },
    );
  }
}

export function settingsOf(config: DyndnsConfig): ServerSettings {
  return {
    zones: config.zone.map(({ file, records, update_command, timeout }) => ({
      file,
      optional: records,
      updateCommand: update_command,
      commandTimeout: timeout,
    })),
    stateFile: config.state,
    clockWindow: config.clock_window / 1000,
    updateTimestamps: config.update_timestamps,
    verify: config.verify === undefined ? undefined : { server: config.verify, port: dnsPort },
    policyOf: policiesOf(config),
  };
}
