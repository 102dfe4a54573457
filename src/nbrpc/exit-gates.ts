/** Whether an exit works at all: the control services, asked through it. */
import type { Resolver } from '../system/ports.ts';
import { familyOf } from './address.ts';
import type { CheckSource } from './checker.ts';
import type { Exit } from './exits.ts';
import { type OwnSide, OwnSideGates, type OwnSideSettings } from './own-side.ts';

/** By the exit's name. Without control services every exit counts as working: what fails through it is told by services alone. */
export function exitGates(
  exits: readonly Exit[],
  ports: { readonly resolver: Resolver; readonly checks: CheckSource },
  settings: Omit<OwnSideSettings, 'uplink'>,
): (exit: string, signal: AbortSignal) => Promise<OwnSide> {
  const { resolver } = ports;
  const uplink = { state: () => Promise.resolve({ up: true as const }) };
  const gates = new Map(
    exits.map((exit) => {
      const checks = through(ports.checks, exit);
      return [exit.name, new OwnSideGates({ uplink, resolver, checks }, { ...settings, uplink: false })];
    }),
  );
  return (name, signal) => gates.get(name)?.look(signal) ?? Promise.resolve({ ok: true });
}

function through(checks: CheckSource, { name, source }: Exit): CheckSource {
  return {
    check(target, codes, signal) {
      const from = source[familyOf(target.address)];
      if (from !== undefined) return checks.check({ ...target, source: from }, codes, signal);
      return Promise.resolve({ kind: 'untried', detail: `exit ${name} has no IPv${familyOf(target.address)} source` });
    },
  };
}
