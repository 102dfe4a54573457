/** The two phases of a reload: look whether every module can take its new configuration, then apply, with a way back. */
import { DiagnosticError } from '../core/diagnostic.ts';
import { describeError, NetstewardError } from '../core/errors.ts';
import type { ModuleName } from '../core/module.ts';
import type { Configuration, ConfiguredModule } from './config.ts';
import type { ModuleRunner } from './module-runner.ts';

export type Runners = Map<ModuleName, ModuleRunner>;

/**
 * Resolves with the runners that are in force afterwards. Rejects with every problem, and then all modules run as before:
 * those that had taken the new configuration were given the old one back, those that had been added are stopped.
 */
export async function applyReload(
  current: Runners,
  next: Configuration,
  newRunner: (configured: ConfiguredModule) => ModuleRunner,
): Promise<Runners> {
  await verify(next);
  const undo: (() => Promise<void>)[] = [];
  const result: Runners = new Map();
  try {
    for (const [name, configured] of next.modules) {
      const runner = current.get(name);
      if (runner !== undefined) {
        const before = runner.configured;
        await step(name, runner.reload(configured));
        undo.push(() => runner.reload(before));
        result.set(name, runner);
      } else {
        const added = newRunner(configured);
        await step(name, added.runOrReject());
        undo.push(() => added.stop('reload'));
        result.set(name, added);
      }
    }
  } catch (error) {
    throw await goBack(undo.reverse(), error);
  }
  for (const [name, runner] of current) if (!next.modules.has(name)) await runner.stop('reload');
  return result;
}

/** The error to report: the one that began it, and what went wrong on the way back. */
async function goBack(undo: readonly (() => Promise<void>)[], error: unknown): Promise<unknown> {
  const failures: string[] = [];
  for (const back of undo) await back().catch((failure: unknown) => void failures.push(describeError(failure)));
  if (failures.length === 0) return error;
  return new NetstewardError(
    'reload-not-undone',
    `${describeError(error)}; and on the way back to the old configuration: ${failures.join('; ')}`,
    { remedy: 'Restart netsteward.', cause: error },
  );
}

async function step(name: ModuleName, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw new NetstewardError('reload-rejected', `${name}: ${describeError(error)}`, { cause: error });
  }
}

/** Warnings do not stand in the way; errors do. */
async function verify(next: Configuration): Promise<void> {
  const perModule = await Promise.all(
    [...next.modules].map(async ([name, { module, config }]) => {
      const findings = await module.preflight(config);
      return findings
        .filter((finding) => finding.severity === 'error')
        .map(({ text, remedy }) => ({ name, text, remedy }));
    }),
  );
  const errors = perModule.flat();
  if (errors.length === 0) return;
  throw new DiagnosticError(
    'reload-rejected',
    errors.map(({ name, text, remedy }) => ({
      file: name,
      message: remedy === undefined ? text : `${text} (${remedy})`,
    })),
  );
}
