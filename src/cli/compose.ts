/** The one place that makes real adapters and gives them to the modules. */
import { readFile } from 'node:fs/promises';
import type { HostFacts, HostNeeds } from '../core/host-facts.ts';
import type { Logger } from '../core/log.ts';
import type { ModuleName } from '../core/module.ts';
import type { BoundModule, ModuleRegistry } from '../supervisor/bound-module.ts';
import type { Configuration } from '../supervisor/config.ts';
import { readHostFacts } from '../system/linux/host-facts.ts';
import { sdNotifier, watchdogInterval } from '../system/linux/sd-notify.ts';
import type { Notifier } from '../system/ports.ts';

export const readText = (path: string): Promise<string> => readFile(path, 'utf8');

/** The modules that this version has. `log` is what their ports and they themselves write to. */
export function composeRegistry(_log: Logger): ModuleRegistry {
  return new Map<ModuleName, () => Promise<BoundModule>>([]);
}

export interface ServicePorts {
  readonly notifier: Notifier;
  readonly watchdogInterval: number | undefined;
}

export function composeServicePorts(env: NodeJS.ProcessEnv, pid: number): ServicePorts {
  return { notifier: sdNotifier(env), watchdogInterval: watchdogInterval(env, pid) };
}

export function composeHostFacts(): Promise<HostFacts> {
  return readHostFacts();
}

/** What the configured modules count on of the machine, beyond what they look at themselves. */
export function hostNeeds(_configuration: Configuration): HostNeeds {
  return { sets: [], ownTables: [], marks: [] };
}
