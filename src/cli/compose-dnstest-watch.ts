/** Real adapters for the watch of resolvers. */
import { systemClock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { DnsWatchPorts } from '../dnstest/ports.ts';
import { type BoundModule, bindModule } from '../supervisor/bound-module.ts';
import { sdNotifier, watchdogInterval } from '../system/linux/sd-notify.ts';
import type { Notifier } from '../system/ports.ts';
import { composeDnsListeners } from './compose-dnstest.ts';
import { composeDnsCheck } from './compose-dnstest-check.ts';
import { countingOnFolders, makingFolders } from './state-folder.ts';

export async function bindDnstest(log: Logger): Promise<BoundModule> {
  const { dnstestModule, dnstestPaths } = await import('../dnstest/index.ts');
  return bindModule({
    definition: dnstestModule,
    paths: dnstestPaths,
    host: async ({ ca }) => ({
      ...(await composeDnsWatch(log.child({ module: 'dnstest' }), ca)),
      files: new (await import('../system/linux/files.ts')).LinuxFiles(),
      listeners: await composeDnsListeners(),
      speaker: new (await import('../system/linux/resolver-word-speaker.ts')).BroadcastSpeaker(),
      store: makingFolders(new (await import('../system/linux/sqlite.ts')).SqliteStore()),
    }),
    preflightHost: async () => ({
      commands: new (await import('../system/linux/commands.ts')).LinuxCommands(systemClock),
      files: countingOnFolders(new (await import('../system/linux/files.ts')).LinuxFiles()),
      lowPorts: (await import('../system/linux/low-ports.ts')).readLowPorts,
    }),
  });
}

/** `caFile`: PEM certificates that are trusted beside the system's. */
export async function composeDnsWatch(log: Logger, caFile?: string): Promise<DnsWatchPorts> {
  const [check, { LinkState }, { LinuxTcpReach }, { LinuxSwitchFiles }, { LinuxOutputFiles }] = await Promise.all([
    composeDnsCheck(caFile),
    import('../system/linux/link-state.ts'),
    import('../system/linux/tcp-reach.ts'),
    import('../system/linux/switch-files.ts'),
    import('../system/linux/atomic-file.ts'),
  ]);
  return {
    ...check,
    log,
    uplink: new LinkState(),
    tcp: new LinuxTcpReach(systemClock),
    switches: new LinuxSwitchFiles(new LinuxOutputFiles()),
  };
}

/** `watchdogInterval`: milliseconds between WATCHDOG=1; undefined: systemd asks for none. */
export function composeWatchNotifier(): { readonly notifier: Notifier; readonly watchdogInterval: number | undefined } {
  return { notifier: sdNotifier(process.env), watchdogInterval: watchdogInterval(process.env, process.pid) };
}
