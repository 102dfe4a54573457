/** The service as a process: configuration, log, control socket, signals, and the supervisor between them. */
import { systemClock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import type { Logger } from '../core/log.ts';
import { type ConfigSource, loadConfiguration } from '../supervisor/config.ts';
import { openControlSocket } from '../supervisor/control-socket.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { composeRegistry, composeServicePorts, readText } from './compose.ts';
import { composeLooking, hearingLog } from './compose-looking.ts';
import { openLog } from './log-output.ts';
import { mustStartFailed } from './run-exit.ts';
import { packageVersion } from './version.ts';

/**
 * Resolves when everything has stopped: after SIGTERM or SIGINT, or (with process.exitCode set) where a module of
 * supervisor.must_start could not start. Rejects when the service cannot begin at all.
 */
export async function runService(source: ConfigSource): Promise<void> {
  const output = openLog(process.env);
  const { log, attach } = hearingLog(output.logger);
  const registry = composeRegistry(log);
  const load = () => loadConfiguration(source, registry, readText);
  const configuration = await load();
  output.configure(configuration.log);

  const version = packageVersion();
  const { notifier, watchdogInterval } = await composeServicePorts(process.env, process.pid);
  const supervisor = new Supervisor(configuration, {
    clock: systemClock,
    log,
    notifier,
    watchdogInterval,
    load,
    applyGeneral: (next) => {
      output.configure(next.log);
      looking.history.configure(next.history);
    },
    version,
    pid: process.pid,
    configFile: source.file,
  });
  const looking = composeLooking({ settings: configuration.history, board: () => supervisor.board });
  attach(looking.feed);
  const control = await openControlSocket(configuration.control.socket, {
    status: () => supervisor.freshStatus(),
    reload: () => supervisor.reload(),
    command: (module, name, argument) => supervisor.command(module, name, argument),
    events: (query) => looking.history.query(query),
    follow: (follow) => looking.feed.follow(follow),
    metrics: () => looking.metrics(() => supervisor.freshStatus()),
  }).catch((error: unknown) => {
    // Its timers would keep a process that cannot begin.
    looking.close();
    throw error;
  });
  log.info('starting', { version, config: source.file, socket: configuration.control.socket, node: process.version });
  const asked = stopSignal();
  process.on('SIGHUP', () => void supervisor.reload());
  dieLoudly(log);
  supervisor.start();
  const failure = await Promise.race([asked, supervisor.failed]);
  if (failure !== undefined) {
    log.error('must-start-failed', { reason: failure.message });
    process.exitCode = mustStartFailed;
  }
  await supervisor.stop();
  await control.close();
  looking.close();
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        count += 1;
        if (count > 1) process.exit(exitCodes.failure);
        resolve();
      });
    }
  });
}

/** What no module has caught ends the process: systemd starts it again from a clean state. */
function dieLoudly(log: Logger): void {
  const die = (error: unknown): void => {
    log.error('crashed', { reason: describeError(error), error });
    process.exit(exitCodes.failure);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
