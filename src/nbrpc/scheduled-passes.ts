/** The passes of the schedule that the configuration names: the prompt one, or the original's. */

import { ProbeSource } from './checker.ts';
import type { NbrpcConfig } from './config.ts';
import type { CountedTime } from './counted-time.ts';
import { exitGates } from './exit-gates.ts';
import { exitsOf } from './exits.ts';
import type { LivePorts } from './live-ports.ts';
import { ownSideGates } from './own-side-ports.ts';
import { passSettings } from './pass-settings.ts';
import { Passes, type PassListener } from './passes.ts';
import type { NbrpcHost } from './ports.ts';
import { type PromptListener, PromptPasses } from './prompt/passes.ts';
import { promptDefaults, promptInUse } from './prompt/settings.ts';
import type { StateStore } from './store.ts';
import type { UseWatch } from './use-watch.ts';

export interface ScheduledOptions {
  readonly host: NbrpcHost;
  readonly config: NbrpcConfig;
  readonly store: StateStore;
  readonly ports: LivePorts;
  readonly counted: CountedTime;
  readonly use: Pick<UseWatch, 'has'>;
  /** Whether no pass has ended before these. */
  readonly first: boolean;
  readonly listener: PassListener & Pick<PromptListener, 'exits'>;
}

/** They do nothing before their first request(). */
export function scheduledPasses(options: ScheduledOptions): Passes | PromptPasses {
  const { host, config, store, ports, use, first, listener } = options;
  const { clock, files } = host;
  const { check, control, resolver } = config;
  const rules = { sameSite: config.schedule === 'prompt' };
  const checks = new ProbeSource(ports.probe, { timeout: check.timeout, bodyLimit: check.body_limit }, rules);
  const gates = ownSideGates(host, config, ports.resolver, checks);
  const shared = {
    clock,
    files,
    resolver: ports.resolver,
    checks,
    store,
    interval: config.timers.pass,
    first,
    look: (signal: AbortSignal, names: () => readonly string[]) => gates.look(signal, names),
    settings: passSettings(config),
    listener,
  };
  if (config.schedule === 'original') return new Passes({ ...shared, counted: options.counted });
  const exits = exitsOf(config);
  const settings = { services: control.services, resolveTimeout: resolver.timeout };
  const exit = exits.length > 0;
  const prompt = { ...promptDefaults, exit };
  const inUse = { ...promptInUse, exit };
  return new PromptPasses({
    ...shared,
    exits,
    prompt,
    promptOf: (address) => (use.has(address) ? inUse : prompt),
    lookThrough: exitGates(exits, { resolver: ports.resolver, checks }, settings),
    controlled: control.services.length > 0,
  });
}
