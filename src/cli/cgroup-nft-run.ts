/** One run of the drop-in `netsteward cgroup-nft`, until a signal ends it. */
import { resolve } from 'node:path';
import { describeError, NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { CgroupNftFlags } from './cgroup-nft.ts';
import { openLog } from './log-output.ts';

/** Rejects with `drop-in-usage`, and with what the start rejects with. */
export async function runCgroupNft(files: readonly string[], flags: CgroupNftFlags): Promise<ExitCode> {
  if (files.length === 0) throw usage('name at least one file, such as /etc/nftables.conf');
  const [{ cgroupNftModule }, { composeCgroupNft, takePriority }] = await Promise.all([
    import('../cgroup-nft/index.ts'),
    import('./compose-cgroup-nft.ts'),
  ]);
  const parsed = await cgroupNftModule.parse({
    files: files.map((file) => resolve(file)),
    flush: flags.flush === true,
    reload_with_units: flags.reloadWithUnit,
    reapply_with_units: flags.reapplyWithUnit,
    cooldown: `${flags.cooldown}ms`,
  });
  if (!parsed.ok) {
    const problems = parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw usage(problems.join('; '));
  }
  const { config } = parsed;
  const log = openLog(process.env);
  log.configure({ level: flags.debug === true ? 'debug' : 'warn', format: 'auto' });
  const stop = new AbortController();
  let hup: () => void = () => {};
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  process.on('SIGHUP', () => hup());
  try {
    const running = await cgroupNftModule.start(config, await composeCgroupNft(log.logger), stop.signal);
    // What a configuration file says by `nice` and `realtime`; scnpm's units know nothing of it.
    await takePriority(config, log.logger);
    hup = () => {
      running.reload(config).then(
        () => log.logger.debug('reloaded'),
        (error: unknown) => log.logger.error('reload-rejected', { reason: describeError(error) }),
      );
    };
    const end = (): void => {
      running
        .stop('shutdown')
        .catch((error: unknown) => log.logger.error('stop-failed', { reason: describeError(error) }));
    };
    stop.signal.addEventListener('abort', end, { once: true });
    if (stop.signal.aborted) end();
    await running.done;
    return exitCodes.ok;
  } catch (error) {
    if (stop.signal.aborted) return exitCodes.ok;
    throw error;
  }
}

/** Ends with 1, as scnpm does for what it does not understand. */
function usage(message: string): NetstewardError {
  return new NetstewardError('drop-in-usage', message, { remedy: 'See netsteward cgroup-nft --help.' });
}
